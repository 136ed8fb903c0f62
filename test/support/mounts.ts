/** What a program that was killed left mounted. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The last first, each at once, whoever uses it. */
export function unmountBelow(directory: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').reverse();
  for (const [, path] of mounts.map(line => /^(?:\S+ ){4}(\S+)/.exec(line) ?? [])) {
    if (path?.startsWith(`${directory}/`) === true) spawnSync('umount', ['--lazy', path]);
  }
}
