/**
 * Loaded into a real agent (`node --import`) before its first line: counts the moments before and after everything
 * that leaves the process and stays (files and their syncing, renames, removals, commits, calls that change the
 * engine, messages to the hub), and ends the process with SIGKILL at the one that it is told. The agent's own code
 * knows nothing of it.
 *
 * `FLOTILLA_KILL_TRACE`: a file that gets a line for each point. `FLOTILLA_KILL_AT`: the point to die at, as in
 * such a line, or `#N` for the N-th of all. `FLOTILLA_KILL_ROOT`: the data directory, which is left out of the
 * names.
 */
import Database from 'better-sqlite3';
import fs from 'node:fs';
import http, { type ClientRequest } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

type Call = (this: unknown, ...args: unknown[]) => unknown;
type Holder = Record<string, Call>;

const { FLOTILLA_KILL_TRACE: trace, FLOTILLA_KILL_AT: at = '' } = process.env;
const root = process.env['FLOTILLA_KILL_ROOT'] ?? '';
const traceFile = trace === undefined ? null : fs.openSync(trace, 'a');
const writeLine = fs.writeSync;
const pathOfFile = fs.readlinkSync;

const seen = new Map<string, number>();
let count = 0;
/** A call that another one makes is part of that one. */
let depth = 0;

/** Digests, ids and random names differ from run to run; what they are of is told by their order. */
function named(text: string): string {
  return text
    .replace(root, '')
    .replace(/[0-9a-f]{12,}/g, 'x')
    .replace(/\d{4,}/g, 'n');
}

function point(what: string): void {
  count++;
  const nth = (seen.get(what) ?? 0) + 1;
  seen.set(what, nth);
  const name = `${what} @${nth}`;
  if (traceFile !== null) writeLine(traceFile, `${name}\n`);
  if (at === name || at === `#${count}`) process.kill(process.pid, 'SIGKILL');
}

/** Replaces `holder[name]`; `describe`: null for a call that is none of ours. */
function around(
  holder: object,
  name: string,
  describe: (self: unknown, args: unknown[]) => string | null,
): void {
  const calls = holder as Holder;
  const original = calls[name];
  if (typeof original !== 'function') return;
  calls[name] = function (this: unknown, ...args) {
    const what = depth > 0 ? null : describe(this, args);
    if (what === null) return original.apply(this, args);
    point(`before ${what}`);
    depth++;
    let result: unknown;
    try {
      result = original.apply(this, args);
    } finally {
      depth--;
    }
    if (!(result instanceof Promise)) {
      point(`after ${what}`);
      return result;
    }
    return result.then(value => {
      point(`after ${what}`);
      return value as unknown;
    });
  };
}

function pathOf(target: unknown): string {
  if (typeof target !== 'number') return String(target);
  try {
    return pathOfFile(`/proc/self/fd/${target}`);
  } catch {
    return 'closed';
  }
}

/** What lies elsewhere is the system's, or the log. */
const isState = (path: string) => path.startsWith(root);

function onPath(operation: string) {
  return (_: unknown, [target]: unknown[]) => {
    const path = pathOf(target);
    return isState(path) ? `${operation} ${named(path)}` : null;
  };
}

const WRITES = /[wa+]/;
const WRITE_FLAGS = fs.constants.O_CREAT | fs.constants.O_TRUNC;

function onOpen(_: unknown, [target, flags = 'r']: unknown[]): string | null {
  const writes =
    typeof flags === 'number' ? (flags & WRITE_FLAGS) !== 0 : WRITES.test(String(flags));
  return writes && isState(String(target)) ? `open ${named(String(target))}` : null;
}

const ON_PATHS = ['writeFile', 'appendFile', 'rename', 'rm', 'rmdir', 'unlink', 'mkdir', 'mkdtemp'];
const MORE = ['link', 'chmod', 'chown', 'lchown', 'truncate', 'copyFile', 'cp', 'utimes'];
const ON_FILES = ['write', 'fsync', 'fdatasync', 'ftruncate', 'fchmod', 'fchown', 'futimes'];

for (const name of [...ON_PATHS, ...MORE]) {
  around(fs, `${name}Sync`, onPath(name));
  around(fs.promises, name, onPath(name));
}
for (const name of ON_FILES) around(fs, `${name}Sync`, onPath(name));
for (const holder of [fs.promises, fs]) {
  const suffix = holder === fs ? 'Sync' : '';
  around(holder, `symlink${suffix}`, (_, [, path]) => `symlink ${named(String(path))}`);
  around(holder, `open${suffix}`, onOpen);
}

const handle = await fs.promises.open('/dev/null');
const handles = Object.getPrototypeOf(handle) as object;
await handle.close();
for (const name of ['write', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate', 'chmod']) {
  around(handles, name, self => {
    const path = pathOf((self as { fd: number }).fd);
    return isState(path) ? `${name} ${named(path)}` : null;
  });
}
syncBuiltinESMExports();

// ---------------------------------------------------------------------------------------------
// the journal

interface Statement {
  readonly source: string;
  readonly readonly: boolean;
  readonly database: { readonly inTransaction: boolean };
}

const memory = new Database(':memory:');
const statements = Object.getPrototypeOf(memory.prepare('SELECT 1')) as object;
memory.close();
const firstWords = (sql: string) => named(sql.trim().split(/\s+/).slice(0, 3).join(' '));

around(statements, 'run', self => {
  const { source, readonly, database } = self as Statement;
  if (source === 'COMMIT') return 'commit';
  if (readonly || database.inTransaction || source.startsWith('BEGIN')) return null;
  return `commit of ${firstWords(source)}`;
});
const databases = Database.prototype as object;
around(databases, 'exec', (self, [sql]) =>
  (self as Statement['database']).inTransaction ? null : `exec ${firstWords(String(sql))}`,
);
around(databases, 'close', () => 'close of the journal');
around(databases, 'pragma', (_, [text]) =>
  /journal_mode = WAL|user_version =|checkpoint/.test(String(text))
    ? `pragma ${String(text)}`
    : null,
);

// ---------------------------------------------------------------------------------------------
// the engine, and the hub

const request = http.request as unknown as Call;
(http as unknown as Holder)['request'] = function (this: unknown, ...args) {
  const options = args[0] as { socketPath?: string; method?: string; path?: string };
  const { socketPath, method = 'GET', path = '' } = options;
  if (socketPath === undefined || method === 'GET' || method === 'HEAD') {
    return request.apply(this, args);
  }
  // Of a container that is created the name is enough.
  const what = `engine ${method} ${named(path.split('&')[0] ?? '')}`;
  point(`before ${what}`);
  const made = request.apply(this, args) as ClientRequest;
  made.once('finish', () => setImmediate(() => point(`sent ${what}`)));
  made.prependOnceListener('response', () => point(`after ${what}`));
  return made;
};

const PUBLISH = 3;
/** Of MQTT 3.1.1, as far as it tells what is sent. */
function packetOf(bytes: Buffer): string {
  const type = (bytes[0] ?? 0) >> 4;
  if (type !== PUBLISH) return `packet ${type}`;
  let at = 1;
  while ((bytes[at++] ?? 0) >= 0x80);
  const topic = bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at));
  return named(topic).split('/').slice(3).join('/');
}

function bytesOf(isMany: unknown, data: unknown): Buffer {
  const chunks = isMany === true ? (data as { chunk: Uint8Array }[]) : [{ chunk: data }];
  return Buffer.concat(chunks.map(({ chunk }) => Buffer.from(chunk as Uint8Array)));
}

around(Socket.prototype, '_writeGeneric', (self, [isMany, data]) =>
  self instanceof TLSSocket ? `tell ${packetOf(bytesOf(isMany, data))}` : null,
);
