/** Bundles that name Secrets: what they wait for, and that nothing is written before. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openOwnedDirectory } from '../../../agent/intake/owned-files.js';
import type { Whereabouts } from '../../../agent/intake/lacking.js';
import { Stage } from '../../../agent/intake/stage.js';
import type { StageOptions } from '../../../agent/intake/stage-options.js';
import type { Journal } from '../../../agent/journal/journal.js';
import { openJournal } from '../../../agent/journal/open.js';
import { SealedSecrets } from '../../../agent/secrets/sealed-secrets.js';
import type { AssignedSecret } from '../../../protocol/documents/assignment.js';
import { fastClock } from '../../support/fast-clock.js';
import {
  assigned,
  bundleDocument,
  NODE_NAME,
  NOW,
  podManifest,
  rootDocument,
  trustedRoot,
} from '../../support/fleet.js';
import { acceptAssignment, storeBundle } from '../../support/journal-content.js';
import { sealedSecret, SEALING } from '../../support/sealed.js';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

let dataDir = '';
let journal: Journal;
let sealed: SealedSecrets;
let stage: Stage;
let generation = 0;
let whereabouts: Whereabouts = { is: 'coming' };

beforeEach(() => {
  dataDir = fs.mkdtempSync(join(tmpdir(), 'flotilla-stage-'));
  fs.mkdirSync(join(dataDir, 'manifests'), { mode: 0o755 });
  journal = openJournal({ dataDir, clock: fastClock(NOW), randomId: () => '1'.repeat(32) });
  sealed = new SealedSecrets({
    node: NODE_NAME,
    store: journal.secrets(),
    sealingKeys: () => [SEALING.key],
    assignment: () => journal.accepted()?.document ?? null,
    log: quiet,
  });
  whereabouts = { is: 'coming' };
  stage = makeStage();
});
afterEach(() => {
  journal.close();
  fs.rmSync(dataDir, { recursive: true });
});

function makeStage(change: Partial<StageOptions> = {}): Stage {
  return new Stage({
    journal,
    directory: openOwnedDirectory(join(dataDir, 'manifests')),
    clock: fastClock(NOW),
    log: quiet,
    whereabouts: () => whereabouts,
    refuses: () => null,
    secrets: sealed,
    ...change,
  });
}

function assign(revision: number, names: readonly string[], secrets: readonly AssignedSecret[]) {
  const pod = podManifest('web', `web:${revision}`);
  const document = bundleDocument([pod], { revision, secrets: [...names] });
  storeBundle(journal, { document, pods: [pod] });
  const listed = { secrets: [...secrets], bundles: [assigned(document)] };
  acceptAssignment(journal, { generation: ++generation, ...listed });
  sealed.assigned();
  return pass();
}

const pass = () => stage.pass(journal.accepted()?.document ?? null, rootDocument());
const states = () => journal.bundles().map(({ state, reason }) => `${state} ${reason}`);
const files = () => fs.readdirSync(join(dataDir, 'manifests')).length;

describe('a bundle that names a secret', () => {
  test('that is not sealed for this node waits, and says which and what to do', () => {
    assert.deepEqual(assign(1, ['db'], []), []);
    assert.deepEqual(states(), ['waiting SecretNotSealed']);
    assert.match(journal.bundles()[0]?.message ?? '', /secret "db" .*flotilla secret seal/);
    assert.equal(files(), 0);
  });

  test('that is on its way waits until it came, and begins then', async () => {
    const { envelope, assigned: db } = await sealedSecret();
    const [lacking] = assign(1, ['db'], [db]);
    assert.deepEqual(lacking, { digest: db.digest, size: 0, envelopeOf: null, secret: db });
    assert.deepEqual(states(), ['waiting Fetching']);
    sealed.receive(envelope, db, trustedRoot());
    assert.deepEqual(pass(), []);
    assert.deepEqual(states(), ['activating FilesWritten']);
    assert.equal(files(), 1);
  });

  test('that was refused waits with the reason, its former revision going on', async () => {
    assign(1, [], []);
    const { assigned: db } = await sealedSecret();
    whereabouts = { is: 'refused', final: true, refusal: { code: 'MixMatch', detail: 'no' } };
    assign(2, ['db'], [db]);
    assert.deepEqual(states(), ['waiting MixMatch']);
    assert.equal(journal.bundles()[0]?.active === journal.bundles()[0]?.digest, false);
    assert.equal(files(), 1);
  });

  test('a new version is fetched for a bundle that runs, and nothing of it is touched', async () => {
    const { envelope, assigned: db } = await sealedSecret();
    assign(1, ['db'], [db]);
    sealed.receive(envelope, db, trustedRoot());
    pass();
    const before = states();
    const next = await sealedSecret({ context: { version: 2 } });
    const lacking = assign(1, ['db'], [next.assigned]);
    assert.deepEqual(
      lacking.map(({ digest }) => digest),
      [next.assigned.digest],
    );
    assert.deepEqual(states(), before);
  });

  test('one that a person put into the directory will do', () => {
    stage = makeStage({
      hasLocalSecret: ({ namespace, name }) => `${namespace}/${name}` === 'default/db',
    });
    assign(1, ['db'], []);
    assert.deepEqual(states(), ['activating FilesWritten']);
  });

  test('is refused where a kubelet runs the pods', () => {
    stage = makeStage({ runtimeNone: true });
    assign(1, ['db'], []);
    assert.deepEqual(states(), ['failed Unsupported']);
    assert.match(journal.bundles()[0]?.message ?? '', /Secret db: with runtime: none/);
  });
});
