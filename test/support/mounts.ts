/** What a program that was killed left mounted; and the same put back. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';

/** In the order in which they were mounted. */
export function mountsBelow(directory: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const paths = lines.map(line => /^(?:\S+ ){4}(\S+)/.exec(line)?.[1] ?? '');
  return paths.filter(path => path.startsWith(`${directory}/`));
}

/** The last first, each at once, whoever uses it. */
export function unmountBelow(directory: string): void {
  for (const path of mountsBelow(directory).reverse()) spawnSync('umount', ['--lazy', path]);
}

/** Memory, empty; the directory is made. */
export function mountMemory(path: string): void {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', path]);
  if (status !== 0) throw new Error(`mount ${path}: ${stderr.toString()}`);
}
