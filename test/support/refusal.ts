/**
 * What "refused" means, checked as a whole around an attack on a running agent: the directory, the
 * containers and the accepted generation are what they were, the signed status names the code, the
 * agent lives and takes the next good document, its memory grew by less than 32 MiB, and each refused
 * content made at most one line of its log in a minute.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJournal } from '../../agent/journal/reader.js';
import type { StatusDocument } from '../../protocol/documents/node.js';
import type { RefusalCode } from '../../protocol/refusal.js';
import { docker } from './docker.js';
import { eventually } from './wait.js';

const MEMORY_MAX = 32 * 1024 * 1024;

/** A running agent that is attacked. */
export interface Attacked {
  readonly dataDir: string;
  readonly staticPodPath: string;
  /** Null once it ended. */
  pid(): number | null;
  /** All that it printed so far. */
  log(): string;
  /** Statuses that its key signed, in order. */
  readonly statuses: readonly StatusDocument[];
  /** Sends a good document and waits until it was accepted. */
  acceptsNext(): Promise<void>;
}

export interface Attack {
  /** That the status is to name; several where the attack has several ways to fail. */
  readonly code: RefusalCode | readonly RefusalCode[];
  /** Done twice: the log may say it once. */
  readonly does: () => Promise<void>;
}

/** Throws what part of a refusal did not hold. Leaves the agent one good document further. */
export async function refusedWholly(node: Attacked, { code, does }: Attack): Promise<void> {
  const codes: readonly string[] = typeof code === 'string' ? [code] : code;
  const before = stateOf(node);
  const said = node.statuses.length;
  const printed = node.log().length;
  await does();
  const named = await eventually(`the signed status names ${codes.join(' or ')}`, () =>
    node.statuses.slice(said).find(({ lastRefusal }) => codes.includes(lastRefusal?.code ?? '')),
  );
  await does();
  await quiet(node);
  const after = stateOf(node);
  assert.deepEqual(after.directory, before.directory, 'the directory changed');
  assert.deepEqual(after.containers, before.containers, 'containers changed');
  assert.deepEqual(after.accepted, before.accepted, 'what is accepted changed');
  assert.equal(after.pid, before.pid, 'the agent died');
  const grown = after.memory - before.memory;
  assert.ok(grown < MEMORY_MAX, `the agent grew by ${Math.round(grown / 1024)} KiB`);
  assertLogIsShort(node.log().slice(printed));
  assert.ok(named.lastRefusal?.digest, 'the refused bytes are named');
  await node.acceptsNext();
}

/** At most one line for each refused content. */
export function assertLogIsShort(text: string): void {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, digest] = /\brefused\b.*digest=([0-9a-f]{64})/.exec(line) ?? [];
    if (digest !== undefined) counts.set(digest, (counts.get(digest) ?? 0) + 1);
  }
  const often = [...counts].filter(([, count]) => count > 1);
  assert.deepEqual(often, [], 'a refusal was logged more than once');
}

/** What a refusal leaves as it is. */
export function stateOf(node: Attacked) {
  const { history } = readJournal(node.dataDir);
  const accepted = history.filter(({ entry }) => entry.kind !== 'bundle').map(({ entry }) => entry);
  const pid = node.pid();
  return {
    directory: treeOf(node.staticPodPath),
    containers: containersOf(node.dataDir),
    accepted,
    pid,
    memory: pid === null ? 0 : residentBytes(pid),
  };
}

/** Every file with its identity, mode and content: one that was written anew is another. */
function treeOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map(name => {
      const path = join(directory, name);
      const stat = lstatSync(path, { bigint: true });
      const content = stat.isFile() ? readFileSync(path) : Buffer.alloc(0);
      const digest = createHash('sha256').update(content).digest('hex');
      return `${name} ${stat.ino} ${stat.mode.toString(8)} ${stat.mtimeNs} ${digest}`;
    });
}

/** Each with the time of its start: one that was restarted is another. */
export function containersOf(owner: string): string[] {
  const ids = docker('ps', '-aq', '--no-trunc', '--filter', `label=flotilla.dev/owner=${owner}`);
  const list = ids.split('\n').filter(id => id !== '');
  if (list.length === 0) return [];
  const format = '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.RestartCount}}';
  return docker('inspect', '--format', format, ...list)
    .split('\n')
    .sort();
}

function residentBytes(pid: number): number {
  const [, kib = '0'] =
    /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

/** Until it has nothing more to say: what it does after a refusal is done by then. */
async function quiet(node: Attacked): Promise<void> {
  let seen = -1;
  await eventually(
    'the agent is quiet',
    () => {
      const now = node.log().length + node.statuses.length;
      const still = now === seen;
      seen = now;
      return still;
    },
    { everyMs: 400 },
  );
}
