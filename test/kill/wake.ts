/**
 * A node after a power cut, looked at from within: its directory is opened by the parts that `flotilla-agent run`
 * starts with, in their order (identity, journal, static pod directory, first pass), and what they make of it is
 * judged.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { realClock } from '../../agent/clock.js';
import { openDataDirectory } from '../../agent/data-directory.js';
import { makeOnFirstUse } from '../../agent/first-use.js';
import { openOwnedDirectory } from '../../agent/intake/owned-files.js';
import { Stage } from '../../agent/intake/stage.js';
import type { Journal } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import { readProof } from '../../agent/journal/proof.js';
import { verifyProof } from '../../agent/journal/verify-proof.js';
import { loadIdentity } from '../../agent/membership/identity.js';
import { sha256Hex } from '../../protocol/canonical.js';

/** How far a journal is. What was told to anybody may not be more than what a power cut leaves. */
export interface Reached {
  readonly journal: string;
  readonly generation: number;
  readonly events: number;
  readonly rows: number;
  readonly root: number;
}

const quiet = () => undefined;
const log = { info: quiet, warn: quiet, error: quiet };
const MANIFESTS = 'manifests';

/** Null: there is no journal yet. Changes nothing that lasts. */
export function promisedIn(dataDir: string): Reached | null {
  try {
    const reached = reachedIn(dataDir);
    return reached.journal === '' ? null : reached;
  } catch {
    return null;
  }
}

function reachedIn(dataDir: string): Reached {
  const { journal, assignments, events, history, roots } = readProof(dataDir);
  return {
    journal,
    generation: assignments.at(-1)?.generation ?? 0,
    events: events.at(-1)?.n ?? 0,
    rows: history.at(-1)?.n ?? 0,
    root: roots.at(-1)?.version ?? 0,
  };
}

/** `floor`: what had been made to last when the power went. Writes into `dataDir`. */
export function wake(dataDir: string, floor: Reached | null): string[] {
  const identity = loadIdentity(dataDir);
  if (identity === null) throw new Error('the node is no member any more');
  const safety = { uid: process.getuid?.() ?? 0, tolerated: null };
  openDataDirectory(dataDir, safety);
  const randomId = () => randomBytes(16).toString('hex');
  const journal = openJournal({ dataDir, clock: realClock(), randomId });
  try {
    const conditions = journal.conditions().map(({ type, message }) => `${type}: ${message}`);
    const manifests = join(dataDir, MANIFESTS);
    makeOnFirstUse(manifests, dataDir);
    if (journal.root() === null) journal.acceptRoot(identity.root);
    if (!existsSync(manifests)) {
      return ['the static pod directory is gone'];
    }
    firstPass(journal, manifests);
    const reached = reachedIn(dataDir);
    return judge(dataDir, journal, { floor, reached, conditions });
  } finally {
    journal.close();
  }
}

function firstPass(journal: Journal, manifests: string): void {
  const stage = new Stage({
    journal,
    directory: openOwnedDirectory(manifests),
    clock: realClock(),
    log,
    whereabouts: () => ({ is: 'coming' }),
    refuses: () => null,
  });
  const root = journal.root();
  if (root) stage.pass(journal.accepted()?.document ?? null, root.document);
}

interface Seen {
  readonly floor: Reached | null;
  readonly reached: Reached;
  readonly conditions: readonly string[];
}

function judge(dataDir: string, journal: Journal, { floor, reached, conditions }: Seen): string[] {
  const { findings } = verifyProof(readProof(dataDir), null);
  const set = journal.setAside === null ? [] : [`the journal was set aside: ${journal.setAside}`];
  const isNew = floor === null || floor.generation === 0;
  const anew = isNew || journal.freshNonce() === null ? [] : ['the journal began anew'];
  return [
    ...findings,
    ...set,
    ...anew,
    ...(isNew ? [] : conditions),
    ...(floor === null ? [] : fallen(floor, reached)),
    ...directory(dataDir),
  ];
}

function fallen(floor: Reached, reached: Reached): string[] {
  const other = floor.journal === reached.journal ? [] : ['the journal is another one'];
  const counts = (['generation', 'events', 'rows', 'root'] as const).filter(
    what => reached[what] < floor[what],
  );
  return [...other, ...counts.map(what => `${what}: ${reached[what]} after ${floor[what]}`)];
}

function directory(dataDir: string): string[] {
  const folder = join(dataDir, MANIFESTS);
  const promised = new Map(readProof(dataDir).files.map(({ file, content }) => [file, content]));
  const found = readdirSync(folder).filter(file => /^\.?flotilla_/.test(file));
  return [
    ...found
      .filter(file => sha256Hex(readFileSync(join(folder, file))) !== promised.get(file))
      .map(file => `${file} is not what the journal promises`),
    ...[...promised.keys()]
      .filter(file => !found.includes(file))
      .map(file => `${file} is promised and is not there`),
  ];
}
