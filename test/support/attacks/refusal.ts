/**
 * What it means that a node refuses: the static pod directory, the containers and the accepted generation stay as they were,
 * the signed status names the code, the agent lives and takes the next good document, its memory has not grown by 32 MiB, and
 * no content is logged twice in a minute. All of it, for each attack.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AssignedBundle, AssignedSecret } from '../../../protocol/documents/assignment.js';
import type { StatusDocument } from '../../../protocol/documents/node.js';
import type { RefusalCode } from '../../../protocol/refusal.js';
import { eventually } from '../wait.js';
import { NODE } from './cast.js';
import type { Victim } from './victim.js';

const GROWTH_MAX = 32 * 1024 * 1024;

interface Standing {
  readonly files: string;
  readonly containers: readonly string[];
  readonly pid: number;
  readonly memory: number;
}

/** Names, modes, contents of all that lies in a directory, and which file it is: one that was written anew is another. */
function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const { ino, mode, mtimeNs } = lstatSync(path, { bigint: true });
    hash.update(`${path} ${ino} ${mode} ${mtimeNs}\n`);
    if (entry.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

function standing(victim: Victim): Standing {
  const pid = victim.play.pid(NODE);
  return {
    files: digestOf(victim.play.path(NODE, 'manifests')),
    containers: victim.containers(),
    pid,
    memory: memoryOf(pid),
  };
}

/** Nothing that a person or a program could see has changed. */
function assertUntouched(victim: Victim, before: Standing): void {
  const now = standing(victim);
  assert.equal(now.files, before.files, 'the static pod directory has changed');
  assert.deepEqual(now.containers, before.containers, 'the containers have changed');
  assert.equal(now.pid, before.pid);
  const growth = now.memory - before.memory;
  assert.ok(growth < GROWTH_MAX, `the agent grew by ${Math.round(growth / 1024 / 1024)} MiB`);
}

export interface Attack {
  /** Closed code that the status has to name; more than one where either is right. */
  readonly code: RefusalCode | readonly RefusalCode[];
  readonly send: () => Promise<void>;
  /** Listed beside the bundle. */
  readonly secrets?: readonly AssignedSecret[];
}

/** Of a status, what it refused since the former refusal. */
function newRefusal(
  { lastRefusal }: StatusDocument,
  former: StatusDocument['lastRefusal'],
): string | null {
  return lastRefusal === null || lastRefusal.digest === former?.digest ? null : lastRefusal.code;
}

/**
 * The broker keeps everybody to his topics: nothing of it gets through, the node refuses nothing because it hears nothing, and
 * takes the next good document.
 */
export async function endsAtTheBroker(victim: Victim, send: () => Promise<void>): Promise<void> {
  const before = standing(victim);
  const said = victim.statuses.length;
  const former = victim.statuses.at(-1)?.lastRefusal ?? null;
  assert.deepEqual(await victim.attack(send), [], 'it came through');
  assertUntouched(victim, before);
  const refused = victim.statuses.slice(said).map(status => newRefusal(status, former));
  assert.deepEqual(
    refused.filter(code => code !== null),
    [],
  );
}

/**
 * A document of the hub's is refused before anything of it is believed. On a broker that keeps everybody to his topics it
 * does not come so far.
 */
export async function refuses(victim: Victim, { code, send }: Attack): Promise<void> {
  if (victim.isGuarded) return endsAtTheBroker(victim, send);
  const before = standing(victim);
  const generation = victim.current.generation;
  const said = victim.statuses.length;
  const former = victim.statuses.at(-1)?.lastRefusal ?? null;
  const logged = victim.play.log(NODE).length;
  await send();
  const codes = typeof code === 'string' ? [code] : code;
  const status = await eventually(`a signed status that says ${codes.join(' or ')}`, () => {
    const after = victim.statuses.slice(said);
    const found = after.find(status => codes.some(c => c === newRefusal(status, former)));
    if (found) return found;
    throw new Error(`said: ${after.map(s => newRefusal(s, former) ?? 'nothing').join(', ')}`);
  });
  assert.equal(status.generation, generation, 'the accepted generation has changed');
  // A second time: neither the node's state nor its log has more of it.
  await send();
  assertUntouched(victim, before);
  await victim.assign();
  assertUntouched(victim, before);
  assertLoggedOnce(victim.play.log(NODE).slice(logged));
}

/** The assignment is genuine, so it is accepted; the bundle in it is not, and fails alone with the code. */
export async function refusesBundle(
  victim: Victim,
  bundle: AssignedBundle,
  { code, send, secrets: listed = [] }: Attack,
): Promise<void> {
  if (victim.isGuarded) return endsAtTheBroker(victim, send);
  const before = standing(victim);
  const said = victim.statuses.length;
  const logged = victim.play.log(NODE).length;
  const codes: readonly string[] = typeof code === 'string' ? [code] : code;
  const former = victim.statuses.at(-1)?.lastRefusal ?? null;
  const { bundles, secrets } = victim.current;
  await send();
  await victim.assign({ bundles: [...bundles, bundle], secrets: [...secrets, ...listed] });
  await eventually(`a signed status in which the bundle fails with ${codes.join(' or ')}`, () => {
    const after = victim.statuses.slice(said);
    const reasons = after.flatMap(status => [
      newRefusal(status, former) ?? '',
      ...status.bundles.filter(b => b.digest === bundle.digest).map(b => b.reason),
    ]);
    if (reasons.some(reason => codes.includes(reason))) return true;
    throw new Error(`said: ${[...new Set(reasons)].join(', ')}`);
  });
  assertUntouched(victim, before);
  await victim.assign({ bundles, secrets });
  assertUntouched(victim, before);
  assertLoggedOnce(victim.play.log(NODE).slice(logged));
}

function assertLoggedOnce(log: string): void {
  const digests = [...log.matchAll(/refused.*digest[=:"\s]+([0-9a-f]{64})/g)].map(m => m[1]);
  const twice = digests.find((digest, index) => digests.indexOf(digest) !== index);
  assert.equal(twice, undefined, `logged twice within a minute: ${twice}`);
}
