"""A wire between this machine and a network namespace, as bad as one likes: two TUN devices and a program between them.

    wire.py NAME SUBNET          NAME: of the namespace; SUBNET: 198.18.7, .1 is here and .2 is there

Each packet is dropped, held back, repeated or overtaken as the newest line on stdin says, in JSON:

    isCut     nothing passes, and nobody is told
    loss      share of packets that is dropped, each by itself
    delayMs   one way
    bytesPerS one way, with a queue of 16 KiB in front as a modem has it; 0: as fast as it goes
    repeat    share of packets that comes twice
    overtake  share of packets that is held back by up to 200 ms more, so that others overtake it

Prints `ready`, then `done` for each line, and at its end what it did. Ends with stdin, and takes the namespace away.
"""
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
QUEUE_BYTES = 16 * 1024
OVERTAKEN_S = 0.2
PERFECT = {"isCut": False, "loss": 0, "delayMs": 0, "bytesPerS": 0, "repeat": 0, "overtake": 0}


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return fd


def lay(name, subnet):
    """The two ends; the far one lies in the namespace."""
    here, there = tun(name + "a"), tun(name + "b")
    ip("netns", "add", name)
    ip("link", "set", name + "b", "netns", name)
    ip("addr", "add", subnet + ".1/30", "dev", name + "a")
    ip("link", "set", name + "a", "up")
    ip("-n", name, "addr", "add", subnet + ".2/30", "dev", name + "b")
    ip("-n", name, "link", "set", name + "b", "up")
    ip("-n", name, "link", "set", "lo", "up")
    return here, there


class Wire:
    def __init__(self, here, there):
        self.far = {here: there, there: here}
        self.free_at = {here: 0.0, there: 0.0}
        self.on_its_way = []
        self.count = 0
        self.is_now = dict(PERFECT)
        self.did = {"passed": 0, "lost": 0, "repeated": 0, "overtaken": 0, "bytes": 0}

    def take(self, source):
        while True:
            try:
                packet = os.read(source, 65535)
            except BlockingIOError:
                return
            now, how = time.monotonic(), self.is_now
            if how["isCut"] or random.random() < how["loss"]:
                self.did["lost"] += 1
                continue
            due = now
            if how["bytesPerS"]:
                starts = max(now, self.free_at[source])
                if (starts - now) * how["bytesPerS"] > QUEUE_BYTES:
                    self.did["lost"] += 1
                    continue
                due = self.free_at[source] = starts + len(packet) / how["bytesPerS"]
            due += how["delayMs"] / 1000
            if random.random() < how["overtake"]:
                self.did["overtaken"] += 1
                due += random.random() * OVERTAKEN_S
            self.send_at(due, source, packet)
            if random.random() < how["repeat"]:
                self.did["repeated"] += 1
                self.send_at(due + random.random() * OVERTAKEN_S, source, packet)

    def send_at(self, due, source, packet):
        self.count += 1
        heapq.heappush(self.on_its_way, (due, self.count, source, packet))

    def pass_on(self):
        while self.on_its_way and self.on_its_way[0][0] <= time.monotonic():
            _, _, source, packet = heapq.heappop(self.on_its_way)
            try:
                os.write(self.far[source], packet)
                self.did["passed"] += 1
                self.did["bytes"] += len(packet)
            except OSError:
                # Its end is down: what a wire does then.
                self.did["lost"] += 1

    def wait(self):
        if not self.on_its_way:
            return None
        return max(0, self.on_its_way[0][0] - time.monotonic())

    def become(self, line):
        self.is_now = {**PERFECT, **json.loads(line)}
        # What is on its way was sent over the wire as it was, but a cut one brings nothing.
        if self.is_now["isCut"]:
            self.did["lost"] += len(self.on_its_way)
            self.on_its_way = []
        self.free_at = dict.fromkeys(self.free_at, 0.0)
        print("done", flush=True)


def main():
    name, subnet = sys.argv[1:3]
    ends = lay(name, subnet)
    wire = Wire(*ends)
    print("ready", flush=True)
    try:
        while True:
            readable, _, _ = select.select([*ends, sys.stdin.fileno()], [], [], wire.wait())
            for fd in readable:
                if fd in ends:
                    wire.take(fd)
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                wire.become(line)
            wire.pass_on()
    finally:
        print(json.dumps(wire.did), flush=True)
        subprocess.run(["ip", "netns", "del", name], check=False)


main()
