# SPDX-License-Identifier: GPL-2.0-only
"""Scripts that run in the testbed on in-tree KVM and on the split, and their table.

A script prints lines "RESULT<tab>name<tab>ok, FAILED or -<tab>what was seen"
(tests/results.sh). The table has a line for each name, side by side.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, 'build/log/tests')
KERNELS = ('stock', 'split')


def client(name):
    """The path of a program of tests/client/ or tests/inguest/, built now."""
    return subprocess.run(['sh', '-c', f'root={ROOT}; . {ROOT}/tests/client/lib.sh; client {name}'],
                          check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


class Table:
    """The scripts of one folder.

    name     of the folder, and of logs and runs
    scripts  {script or script@variant: wall-clock seconds, with room for a busy machine}
    command  function (script, kernel) -> words for "testbed run"
    doc      text above the table in docs/NAME.md
    close    {line: percent by which the first numbers seen may differ}
    later    scripts that run only when they are named
    hosts    {what the name of a run ends in: what the host is}, for a table with columns of each
    host     which of them this run is about
    """

    def __init__(self, name, scripts, command, doc, close=None, later=(), hosts=None, host=''):
        here = f'{ROOT}/tests/{name}'
        self.name, self.command, self.doc, self.close = name, command, doc, close or {}
        self.later, self.hosts, self.host = later, hosts or {'': ''}, host
        self.scripts = {s: t for s, t in scripts.items() if os.path.exists(f'{here}/{s.split("@")[0]}')}

    def log_of(self, script, kernel, host=None):
        return f'{LOGS}/{self.name}-{script}-{kernel}{self.host if host is None else host}.log'

    def run(self, script, kernel):
        command = [f'{ROOT}/scripts/testbed', 'run', '--kernel', kernel, '--timeout', str(self.scripts[script]),
                   '--name', f'{self.name}-{script}-{kernel}{self.host}',
                   '--add', f'{ROOT}/tests/results.sh:/tests/results.sh',
                   '--add', f'{ROOT}/tests/{self.name}/lib.sh:/tests/lib.sh',
                   '--add', f'{ROOT}/tests/{self.name}/{script.split("@")[0]}:/tests/script', *self.command(script, kernel)]
        with open(self.log_of(script, kernel), 'w+b') as out:
            status = subprocess.run([*command, '--', 'sh /tests/script'], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT, check=False).returncode
            out.seek(0)
            last = out.read().decode(errors='replace').rstrip('\n').rpartition('\n')[2]
            end = f'ok\tstatus {status}' if status == 0 else f'FAILED\tstatus {status}, {last}'
            out.write(f'RESULT\t{script}: end\t{end}\n'.encode())

    def results(self, script, kernel, host=None):
        """{name: (ok, FAILED or -, what was seen)} of the last run of one script on one kernel."""
        log = self.log_of(script, kernel, host)
        text = open(log, errors='replace').read() if os.path.exists(log) else ''
        return {m[1]: (m[2], m[3].strip())
                for m in re.finditer(r'^RESULT\t([^\t]*)\t([^\t]*)\t(.*)$', text, re.M)}

    def differ(self, name, cells):
        if name not in self.close or None in cells:
            return False
        a, b = [int(re.match(r'\d*', c[1])[0] or 0) for c in cells]
        return not a or abs(a - b) * 100 > a * self.close[name]

    def words(self, script, name, host=None):
        """What the table says of one line: (in-tree, split), and what was seen of each."""
        cells = [self.results(script, k, host).get(name) for k in KERNELS]
        words = [c[0] if c else 'missing' for c in cells]
        if self.differ(name, cells):
            words[1] = 'FAILED'
        return words, [c[1] if c else '' for c in cells]

    def names(self, script, host=None):
        return list(dict.fromkeys(n for k in KERNELS for n in self.results(script, k, host)))

    def documented(self):
        """{(script, name): [in-tree, split of each host]} of docs/NAME.md."""
        path, cells, script = f'{ROOT}/docs/{self.name}.md', {}, None
        for line in open(path, encoding='utf-8') if os.path.exists(path) else ():
            row = line.strip('|\n ').split(' | ')
            if line.startswith('| **'):
                script = row[0].strip('* |')
            elif script and len(row) > 2:
                cells[script, row[0]] = row[1:] + ['missing'] * (2 * len(self.hosts) + 1 - len(row))
        return cells

    def write_doc(self):
        """The last runs on all hosts; what did not run here stays as it was."""
        before, rows = self.documented(), []
        for script in self.scripts:
            rows.append([f'**{script}**', *[''] * (2 * len(self.hosts))])
            names = [n for h in self.hosts for n in self.names(script, h)] + [n for s, n in before if s == script]
            for name in dict.fromkeys(names):
                row = []
                for host in self.hosts:
                    words, seen = self.words(script, name, host)
                    if name in self.close:
                        words = [f'{w}: {s}' if s else w for w, s in zip(words, seen)]
                    row += words
                row = [old if new == 'missing' else new for new, old in zip(row, before.get((script, name), row))]
                if not name.endswith(': end'):
                    rows.append([name, *row])
        head = [f'{h}{", " if h else ""}{k}' for h in self.hosts.values() for k in ('in-tree', 'split')]
        with open(f'{ROOT}/docs/{self.name}.md', 'w', encoding='utf-8') as f:
            f.write(f'<!-- Written by `tests/{self.name}/run doc`. -->\n{self.doc}\n')
            for row in [['what', *head], ['---'] * (1 + len(head)), *rows]:
                f.write('|' + '|'.join(c if c == '---' else f' {c} ' if c else ' ' for c in row) + '|\n')

    def main(self, picked):
        os.makedirs(LOGS, exist_ok=True)
        subprocess.run([f'{ROOT}/scripts/make-guest'], check=True)
        unknown = set(picked) - {*self.scripts, 'table', 'doc'}
        if unknown:
            sys.exit(f'{self.name}/run: no such script: {" ".join(sorted(unknown))}')
        kernels = os.environ.get('KERNELS', ' '.join(KERNELS)).split()
        run = [s for s in self.scripts if s in (picked or set(self.scripts) - set(self.later))]
        for script in run:
            for kernel in kernels:
                self.run(script, kernel)
        lines, failed = [f'{"":30} in-tree  split'], 0
        shown = list(lines)
        for script in run or self.scripts:
            for name in self.names(script):
                words, both = self.words(script, name)
                bad = 'FAILED' in words or 'missing' in words and len(kernels) > 1
                line = f'{name:30} {words[0]:8} {words[1]}'
                seen = [f'    {k}: {s}' for k, s in zip(('in-tree', 'split'), both) if s]
                lines += [line, *seen]
                shown += [line, *(seen if bad else [])]
                failed += bad
        with open(f'{ROOT}/build/log/{self.name}-table.txt', 'w', encoding='utf-8') as f:
            f.writelines(line + '\n' for line in lines)
        print('\n'.join(shown))
        count = sum(not line.startswith(' ') for line in lines)
        print(f'{count} lines, {failed} failed; what was seen: build/log/{self.name}-table.txt')
        if picked == ['doc']:
            self.write_doc()
        return 1 if failed or not count else 0
