/**
 * The file system answers in the same event that asks, so that no thread pool decides what comes next, and inotify tells
 * of it a moment later. The files are real.
 */
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Actor } from './scheduler.js';
import { outside, step, type AnyFunction, type Holder } from './steps.js';

const WATCH_MS = 1;
const watchers = new Set<SimulatedWatcher>();

class SimulatedWatcher extends EventEmitter {
  readonly path: string;
  readonly actor: Actor | null;
  readonly #tell: (kind: string, name: string) => void;

  constructor(path: string, tell: (kind: string, name: string) => void) {
    super();
    this.path = path.replace(/(?<=.)\/+$/, '');
    this.actor = outside()?.scheduler.actor ?? null;
    this.#tell = tell;
    watchers.add(this);
    this.actor?.belongings.add(this);
  }

  note(kind: string, name: string): void {
    if (!this.actor) return;
    outside()?.scheduler.after(WATCH_MS, this.actor, () => {
      if (watchers.has(this)) this.#tell(kind, name);
    });
  }

  close(): void {
    watchers.delete(this);
    this.actor?.belongings.delete(this);
  }
}

function told(kind: string, path: unknown): void {
  if (typeof path !== 'string') return;
  outside()?.onFile(path);
  for (const watcher of watchers) {
    if (watcher.path === dirname(path)) watcher.note(kind, basename(path));
  }
}

/** Calls that leave something behind, and what inotify makes of them. */
const LASTING: Readonly<Record<string, 'rename' | 'change' | null>> = {
  openSync: 'rename',
  writeSync: null,
  writeFileSync: 'change',
  renameSync: 'rename',
  rmSync: 'rename',
  unlinkSync: 'rename',
  mkdirSync: 'rename',
  rmdirSync: 'rename',
  symlinkSync: 'rename',
  fsyncSync: null,
};

/** What takes room on the disk. */
const TAKES_ROOM = new Set(['openSync', 'writeSync', 'writeFileSync', 'mkdirSync', 'symlinkSync']);

function isLasting(name: string, [, flags]: readonly unknown[]): boolean {
  if (name !== 'openSync') return true;
  if (typeof flags === 'number') return (flags & fs.constants.O_CREAT) !== 0;
  return typeof flags === 'string' && !flags.startsWith('r');
}

export function takeFiles(): void {
  const calls = fs as unknown as Holder;
  for (const [name, kind] of Object.entries(LASTING)) {
    const real = calls[name] as AnyFunction;
    calls[name] = function (this: unknown, ...args: unknown[]): unknown {
      const actor = outside()?.scheduler.actor;
      if (!actor || !isLasting(name, args)) return real.apply(fs, args);
      step(0);
      if (TAKES_ROOM.has(name)) outside()?.disk(actor, null);
      const result = real.apply(fs, args);
      if (kind !== null) {
        told(kind, args[0]);
        if (name === 'renameSync') told(kind, args[1]);
      }
      step(0.5);
      return result;
    };
  }
  const promises = fs.promises as unknown as Holder;
  for (const name of Object.keys(promises)) {
    const sync = calls[`${name}Sync`];
    if (typeof sync !== 'function') continue;
    promises[name] = async (...args: unknown[]) =>
      (calls[`${name}Sync`] as AnyFunction).apply(fs, args);
  }
  promises['open'] = async (...args: unknown[]) =>
    new SimulatedHandle((calls['openSync'] as AnyFunction).apply(fs, args) as number);
  calls['watch'] = (path: unknown, ...rest: unknown[]) => {
    const listener = rest.find(one => typeof one === 'function');
    fs.statSync(path as string);
    return new SimulatedWatcher(path as string, listener as (kind: string, name: string) => void);
  };
}

/** As `FileHandle`, as far as the agent uses it. */
class SimulatedHandle {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  async stat(options?: fs.StatOptions): Promise<unknown> {
    return fs.fstatSync(this.fd, options);
  }

  async readFile(options?: BufferEncoding): Promise<unknown> {
    return fs.readFileSync(this.fd, options);
  }

  async writeFile(data: string | Uint8Array): Promise<void> {
    fs.writeFileSync(this.fd, data);
  }

  async read(first: unknown, ...rest: unknown[]): Promise<unknown> {
    const given = ArrayBuffer.isView(first)
      ? { buffer: first, offset: rest[0], length: rest[1], position: rest[2] }
      : (first as Record<string, unknown>);
    const { buffer = Buffer.alloc(16_384), offset = 0, position = null } = given;
    const bytes = buffer as Uint8Array;
    const length = (given['length'] as number | undefined) ?? bytes.byteLength;
    const where = position as number | null;
    const bytesRead = fs.readSync(this.fd, bytes, offset as number, length, where);
    return { bytesRead, buffer };
  }

  async write(bytes: Uint8Array, ...rest: (number | undefined)[]): Promise<unknown> {
    return { bytesWritten: fs.writeSync(this.fd, bytes, ...rest), buffer: bytes };
  }

  async sync(): Promise<void> {
    fs.fsyncSync(this.fd);
  }

  async truncate(length = 0): Promise<void> {
    fs.ftruncateSync(this.fd, length);
  }

  async chmod(mode: number): Promise<void> {
    fs.fchmodSync(this.fd, mode);
  }

  async chown(uid: number, gid: number): Promise<void> {
    fs.fchownSync(this.fd, uid, gid);
  }

  async close(): Promise<void> {
    fs.closeSync(this.fd);
  }
}
