/**
 * Ports for servers that a test ends and starts again: below the range from which the kernel takes a port for whoever asks for none,
 * and reserved for this process by a file, so that no other test is given one while its server is down.
 */
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FIRST = 15_000;
/** Linux hands out 32768 and above (ip_local_port_range). */
const LAST = 32_000;
const RESERVED = join(tmpdir(), 'flotilla-test-ports');
const mine = new Set<string>();

/** Nobody listens there, and no other test process is given it while this one lives. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (reserve(port) && (await isFree(port, host))) return port;
  }
}

function reserve(port: number): boolean {
  mkdirSync(RESERVED, { recursive: true });
  const file = join(RESERVED, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    // Somebody's who forgot it, or who ends just now: the next one will do, and then it is free.
    if (!isAlive(file)) forget(file);
    return false;
  }
  if (mine.size === 0) process.once('exit', () => mine.forEach(forget));
  mine.add(file);
  return true;
}

function isAlive(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // Being written just now.
    if (pid === 0) return true;
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function forget(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // Gone already.
  }
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise(done => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, host, () => server.close(() => done(true)));
  });
}
