/**
 * A node that is asked whether it could start alone and go back: a real journal and real files, an engine that is a list of images. Call
 * `readinessWorld` once in a file of tests.
 */
import Database from 'better-sqlite3';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { openOwnedDirectory } from '../../../agent/intake/owned-files.js';
import type { StageOptions } from '../../../agent/intake/stage-options.js';
import type { PodReport } from '../../../agent/ports.js';
import type { Fault } from '../../../agent/readiness/faults.js';
import { Readiness, type ReadinessParts } from '../../../agent/readiness/readiness.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import { ActivationWorld, type Made } from '../../support/activation-world.js';

/** What the node has and is told, until a test says otherwise. */
interface Given {
  freeBytes: number;
  isEngineUp: boolean;
  fault: Fault | null;
  writeFault: string | null;
  reports: PodReport[];
}

export const SHOP = { namespace: 'default', name: 'shop' };

/** Of the test that runs. */
export let it: ActivationWorld;
export let readiness: Readiness;
export let given: Given;
/** On the engine. */
export let images: Set<string>;
/** Images that the engine was asked for. */
export let asked: string[];
/** How often another answer was told. */
export let changes: number;

export function readinessWorld(): void {
  beforeEach(() => {
    it = new ActivationWorld();
    images = new Set(['shop:1', 'shop:2', 'shop:3', 'web:1', 'till:1']);
    [asked, changes] = [[], 0];
    given = { freeBytes: 1e9, isEngineUp: true, fault: null, writeFault: null, reports: [] };
    readiness = start();
  });
  afterEach(() => {
    readiness.close();
    it.close();
  });
}

function start(more: Partial<ReadinessParts> = {}): Readiness {
  const quiet = () => undefined;
  const inspect = (image: string) => {
    asked.push(image);
    if (!given.isEngineUp) throw new RuntimeError('EngineUnavailable', 'no engine answers');
    return images.has(image) ? { id: `sha256:${image}`, repoDigests: [], user: '' } : null;
  };
  return new Readiness({
    journal: it.journal,
    root: () => it.root,
    directory: openOwnedDirectory(it.manifests),
    images: {
      imageStatus: image => Promise.resolve(image).then(inspect),
      imageFilesystem: () =>
        Promise.resolve({ path: '/engine', totalBytes: 1e9, availableBytes: given.freeBytes }),
    },
    startFaults: () => (given.fault === null ? [] : [given.fault]),
    writeFault: () => given.writeFault,
    refuses: () => null,
    pods: () => given.reports,
    clock: { now: () => 0, monotonic: () => 0, sleep: () => new Promise(quiet) },
    log: { info: quiet, warn: quiet, error: quiet },
    onChange: () => changes++,
    ...more,
  });
}

/** Journals of restarts and new parts are looked at by a new one. */
export function again(more: Partial<ReadinessParts> = {}): void {
  readiness.close();
  readiness = start(more);
}

/** In its place; what looks at it comes with `again`. */
export function anotherNode(more: Partial<StageOptions>): void {
  it.close();
  it = new ActivationWorld(more);
}

async function told(type: 'AloneReady' | 'UndoReady'): Promise<string> {
  await readiness.look();
  const found = readiness.conditions().find(one => one.type === type);
  return `${found?.status} ${found?.reason}: ${found?.message}`;
}
export const alone = () => told('AloneReady');
export const undo = () => told('UndoReady');

export function healthy(...bundles: Made[]): void {
  it.assign(...bundles);
  it.wait(11);
  it.pass();
}

export function inJournal(sql: string): void {
  it.journal.settle();
  const db = new Database(join(it.dataDir, 'journal.db'));
  db.exec(sql);
  db.close();
}
