# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tables of text, for people and as Markdown."""


class Report:
    """Prints as it grows."""

    def __init__(self, verbose=False):
        self.verbose = verbose
        self.tables = []  # (title, [row]), the first row its head
        self.details = []
        self.missed = self.judged = 0
        self.unmeasured = []

    def table(self, title, head):
        self.flush()
        self.tables.append((title, [head]))

    def row(self, *cells):
        self.tables[-1][1].append(tuple(str(cell) for cell in cells))

    def detail(self, text):
        self.details.append(text)

    def judge(self, met):
        self.judged += 1
        self.missed += not met
        return 'ok' if met else 'MISSED'

    def cannot(self, reason):
        self.unmeasured.append(reason)

    def flush(self):
        """Print the table that is complete."""
        if not self.tables or not self.tables[-1][1]:
            return
        title, rows = self.tables[-1]
        widths = [max(map(len, column)) for column in zip(*rows)]
        print(f'\n{title}')
        for row in rows:
            print('  ' + '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if self.verbose:
            for line in self.details:
                print(f'    {line}')
        self.details.clear()

    def finish(self, markdown):
        self.flush()
        print(f'\n{self.judged - self.missed} of {self.judged} requirements met')
        for reason in self.unmeasured:
            print(f'NOT MEASURED: {reason}')
        if markdown:
            with open(markdown, 'w', encoding='utf-8') as file:
                file.write('\n\n'.join(as_markdown(*table) for table in self.tables) + '\n')


def as_markdown(title, rows):
    head, *rest = (f'| {" | ".join(row)} |' for row in rows)
    return '\n'.join([f'**{title[0].upper()}{title[1:]}**', '', head, '|' + '---|' * len(rows[0]), *rest])
