/**
 * What a process asked of the file system, from `strace -f -qq -y -xx -o FILE`: only what changes files below one
 * directory or makes changes last. A call that this does not know how to replay is an error, so that none is
 * passed over.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

export type FileCall =
  | { readonly is: 'create'; readonly path: string; readonly truncate: boolean }
  | { readonly is: 'write'; readonly path: string; readonly at: number; readonly data: Buffer }
  | { readonly is: 'truncate'; readonly path: string; readonly length: number }
  | { readonly is: 'sync'; readonly path: string }
  | { readonly is: 'rename'; readonly path: string; readonly to: string }
  | { readonly is: 'remove'; readonly path: string }
  | { readonly is: 'mkdir'; readonly path: string }
  | { readonly is: 'symlink'; readonly path: string; readonly target: string };

/** For `-e trace=`. The last ones are none of the agent's ways: refused when they touch a file of its. */
const CALLS = [
  ...['openat', 'open', 'creat', 'write', 'writev', 'pwrite64', 'ftruncate', 'truncate', 'lseek'],
  ...['fsync', 'fdatasync', 'rename', 'renameat', 'renameat2', 'unlink', 'unlinkat', 'rmdir'],
  ...['mkdir', 'mkdirat', 'symlink', 'symlinkat', 'close'],
  ...['pwritev', 'copy_file_range', 'sendfile', 'link', 'linkat', 'fallocate', 'sync_file_range'],
];

/** With `-D` the program itself is the child, and strace stands aside. */
export function straced(file: string): string[] {
  const trace = ['-e', `trace=${CALLS.join(',')}`];
  return ['strace', '-D', '-f', '-qq', '-y', '-xx', '-s', '4194304', '-o', file, ...trace];
}

const unhex = (text: string) => Buffer.from(text.replaceAll('\\x', ''), 'hex');

interface Told {
  readonly call: string;
  readonly args: string;
  readonly result: string;
}

/** A call that another thread interrupted is told in two parts; it counts when it is over. */
function* toldIn(text: string): Generator<Told> {
  const begun = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)?.[1];
    if (unfinished !== undefined) {
      begun.set(pid, unfinished);
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const whole = resumed === undefined ? rest : `${begun.get(pid) ?? ''}${resumed}`;
    const parts = /^(\w+)\((.*)\) += (.+)$/.exec(whole);
    if (!parts) continue;
    const [, call = '', args = '', result = ''] = parts;
    if (!result.startsWith('-1')) yield { call, args, result };
  }
}

const strings = (args: string) =>
  [...args.matchAll(/"([^"]*)"/g)].map(([, hex = '']) => unhex(hex));
const fileOf = (text: string) => {
  const [, fd = '', hex = ''] = /^(\d+)<([^>]*)>/.exec(text) ?? [];
  return { fd, path: unhex(hex).toString() };
};

/** Calls in the order in which they were over; paths below `root`, `''` is itself. */
export function readTrace(file: string, root: string): FileCall[] {
  const calls: FileCall[] = [];
  /** Where the next `write` of a descriptor goes. */
  const offsets = new Map<string, number | 'end'>();
  const ends = new Map<string, number>();
  const inside = (path: string) => path === root || path.startsWith(`${root}/`);
  const short = (path: string) => relative(root, path);
  const add = (call: FileCall) => void calls.push(call);
  const wrote = (path: string, at: number, data: Buffer) => {
    ends.set(path, Math.max(ends.get(path) ?? 0, at + data.byteLength));
    add({ is: 'write', path: short(path), at, data });
  };
  for (const { call, args, result } of toldIn(readFileSync(file, 'latin1'))) {
    const paths = strings(args).map(String);
    const [first = '', second = ''] = paths;
    const held = fileOf(args);
    switch (call) {
      case 'open':
      case 'openat':
      case 'creat': {
        const { fd, path } = fileOf(result);
        if (!inside(path)) continue;
        const truncate = args.includes('O_TRUNC');
        offsets.set(fd, args.includes('O_APPEND') ? 'end' : 0);
        if (truncate) ends.set(path, 0);
        if (/O_CREAT|O_TRUNC/.test(args)) add({ is: 'create', path: short(path), truncate });
        continue;
      }
      case 'close':
        offsets.delete(held.fd);
        continue;
      case 'write':
      case 'writev': {
        if (!inside(held.path)) continue;
        const data = Buffer.concat(strings(args)).subarray(0, Number(result));
        const known = offsets.get(held.fd) ?? 0;
        const at = known === 'end' ? (ends.get(held.path) ?? 0) : known;
        if (known !== 'end') offsets.set(held.fd, at + data.byteLength);
        wrote(held.path, at, data);
        continue;
      }
      case 'pwrite64': {
        if (!inside(held.path)) continue;
        const [data = Buffer.alloc(0)] = strings(args);
        wrote(held.path, Number(/(\d+)$/.exec(args)?.[1]), data.subarray(0, Number(result)));
        continue;
      }
      case 'ftruncate':
        if (!inside(held.path)) continue;
        add({ is: 'truncate', path: short(held.path), length: Number(/(\d+)$/.exec(args)?.[1]) });
        continue;
      case 'fsync':
      case 'fdatasync':
        if (inside(held.path)) add({ is: 'sync', path: short(held.path) });
        continue;
      case 'rename':
      case 'renameat':
      case 'renameat2':
        if (!inside(first)) continue;
        ends.set(second, ends.get(first) ?? 0);
        add({ is: 'rename', path: short(first), to: short(second) });
        continue;
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        if (inside(first)) add({ is: 'remove', path: short(first) });
        continue;
      case 'mkdir':
      case 'mkdirat':
        if (inside(first)) add({ is: 'mkdir', path: short(first) });
        continue;
      case 'symlink':
      case 'symlinkat':
        if (inside(second)) add({ is: 'symlink', path: short(second), target: first });
        continue;
      default:
        if (call !== 'lseek' && (inside(held.path) || paths.some(inside))) {
          throw new Error(`the trace has a call that cannot be replayed: ${call}(${args})`);
        }
    }
  }
  return calls;
}

/** Without what lay in memory, mounted at these paths: that goes with the power, and no past has it. A mount point itself lies on the disk. */
export function onDisk(calls: readonly FileCall[], mounts: readonly string[]): FileCall[] {
  return calls.filter(({ path }) => !mounts.some(mount => path.startsWith(`${mount}/`)));
}
