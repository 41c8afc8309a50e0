# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a VT100 shows after some bytes: enough of it for a frame of a monitor."""

import re

SEQUENCE = re.compile(r'\x1b\[([?\d;]*)([A-Za-z])|\x1b[()#][A-Z0-9]|\x1b[=>78DMEHc]|[\x0e\x0f]')


class Screen:
    """Cells and a cursor."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[' '] * columns for _ in range(rows)]
        self.row = self.column = 0

    def erase(self, row, start):
        self.cells[row][start:] = [' '] * (self.columns - start)

    def sequence(self, numbers, letter):
        first = numbers[0] if numbers else 0
        step = max(first, 1)
        if letter in 'Hf':
            self.row, self.column = step - 1, max(numbers[1] if len(numbers) > 1 else 1, 1) - 1
        elif letter == 'J':
            start = 0 if first == 2 else self.row
            for row in range(start, self.rows):
                self.erase(row, self.column if row == self.row and first != 2 else 0)
        elif letter == 'K':
            self.erase(self.row, self.column)
        elif letter in 'AB':
            self.row += step if letter == 'B' else -step
        elif letter in 'CD':
            self.column += step if letter == 'C' else -step
        elif letter == 'G':
            self.column = step - 1
        elif letter == 'd':
            self.row = step - 1

    def char(self, char):
        if char == '\r':
            self.column = 0
        elif char == '\n':
            self.row += 1
        elif char == '\b':
            self.column -= 1
        elif char >= ' ':
            self.cells[self.row][min(self.column, self.columns - 1)] = char
            self.column += 1

    def feed(self, text):
        at = 0
        while at < len(text):
            found = SEQUENCE.match(text, at)
            if found:
                at = found.end()
                if found[2]:
                    self.sequence([int(n or 0) for n in found[1].lstrip('?').split(';')], found[2])
            else:
                self.char(text[at])
                at += 1
            self.row = min(max(self.row, 0), self.rows - 1)
            self.column = min(max(self.column, 0), self.columns)

    def text(self):
        return '\n'.join(''.join(line).rstrip() for line in self.cells)


def frame(data, rows=24, columns=100):
    screen = Screen(rows, columns)
    screen.feed(data.decode('latin-1'))
    return screen.text()
