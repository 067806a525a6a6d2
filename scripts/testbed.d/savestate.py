# SPDX-License-Identifier: GPL-2.0-only
"""Saved states of the emulator.

Bochs saves only when its SUSPEND button is pressed, in a dialog of its display,
so press it: a client of the remote framebuffer protocol (RFC 6143), as small
as that takes.
"""

import os
import re
import socket
import struct
import subprocess
import time

BUTTON = (671, 15)      # SUSPEND, in the header bar
SHIFT, RETURN = 0xffe1, 0xff0d


class Display:
    def __init__(self, port):
        self.sock = socket.create_connection(('127.0.0.1', port), 10)
        self.sock.settimeout(10)
        self.read(12)
        self.sock.sendall(b'RFB 003.003\n')
        self.read(4)                # no authentication
        self.sock.sendall(b'\x01')  # shared
        _, _, _, length = struct.unpack('>HH16sI', self.read(24))
        self.read(length)

    def read(self, size):
        data = b''
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise EOFError('the display closed')
            data += more
        return data

    def click(self, x, y):
        for buttons in (0, 1, 0):
            self.sock.sendall(struct.pack('>BBHH', 5, buttons, x, y))
            time.sleep(0.2)

    def key(self, code, shift=False):
        keys = [(1, SHIFT)] * shift + [(1, code), (0, code)] + [(0, SHIFT)] * shift
        for down, k in keys:
            self.sock.sendall(struct.pack('>BBxxI', 4, down, k))
            time.sleep(0.02)

    def type(self, text):
        for c in text:
            self.key(ord(c), c.isupper() or c in '_:~')
        self.key(RETURN)


def save(port, folder, machine, limit=120):
    """Have MACHINE save itself in FOLDER, relative to where it runs, and end."""
    display = Display(port)
    display.click(*BUTTON)
    time.sleep(1)
    display.type(folder)
    deadline = time.monotonic() + limit
    # When it is done it asks whether to go on.
    while machine.poll() is None and time.monotonic() < deadline:
        time.sleep(3)
        try:
            display.type('no')
        except (OSError, EOFError):
            break
    machine.wait(max(1, deadline - time.monotonic()))


def prepare(folder):
    """Undo what keeps a state from being restored, and what makes it large."""
    path = f'{folder}/config'
    text = open(path, encoding='ascii').read()
    # A controller that was not there would register its timer before others.
    text = re.sub(r' usb_uhci=true,', '', text)
    with open(path, 'w', encoding='ascii') as f:
        f.write(text)
    subprocess.run(['fallocate', '--dig-holes', f'{folder}/memory.ram'], check=True)


def clone(state, folder, job):
    """A private copy of STATE in FOLDER, with JOB in place of the second disk."""
    os.mkdir(folder)
    for name in os.listdir(state):
        os.symlink(os.path.realpath(f'{state}/{name}'), f'{folder}/{name}')
    disk = f'{folder}/hard_drive.0.drive1.image'
    if os.path.getsize(disk) != os.path.getsize(job):
        raise ValueError(f'{job}: not of the size of the saved disk')
    os.unlink(disk)
    os.symlink(os.path.realpath(job), disk)
