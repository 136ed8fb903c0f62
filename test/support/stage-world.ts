/**
 * One node's stage over a real journal and a real static pod directory, without a broker: bundles are put into the journal
 * as if they had been fetched, assignments are accepted, and each of them is followed by a pass.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleRefusal, DEFAULT_POLICY } from '../../agent/admission/policy.js';
import type { Whereabouts } from '../../agent/intake/lacking.js';
import { Stage } from '../../agent/intake/stage.js';
import type { StageOptions } from '../../agent/intake/stage-options.js';
import type { Journal } from '../../agent/journal/journal.js';
import { openJournal } from '../../agent/journal/open.js';
import { openOwnedDirectory } from '../../agent/intake/owned-files.js';
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { acceptAssignment, storeBundle } from './journal-content.js';
import { fastClock } from './fast-clock.js';
import { assigned, bundleDocument, NOW, podManifest, rootDocument } from './fleet.js';

export type Pods = Record<string, unknown>[];

export class StageWorld {
  readonly dataDir = fs.mkdtempSync(join(tmpdir(), 'flotilla-stage-'));
  readonly manifests = join(this.dataDir, 'manifests');
  journal: Journal;
  stage: Stage;
  /** Where every content is that is not here. */
  whereabouts: Whereabouts = { is: 'coming' };
  #generation = 0;

  constructor() {
    fs.mkdirSync(this.manifests, { mode: 0o755 });
    this.journal = this.openJournal();
    this.stage = this.makeStage();
  }

  /** `ids`: how many the journal gave out before. */
  openJournal(ids = 0): Journal {
    const randomId = () => String(++ids).padStart(32, '0');
    return openJournal({ dataDir: this.dataDir, clock: fastClock(NOW), randomId });
  }

  close(): void {
    this.journal.close();
    fs.rmSync(this.dataDir, { recursive: true });
  }

  makeStage(change: Partial<StageOptions> = {}): Stage {
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const directory = openOwnedDirectory(this.manifests);
    const refuses = bundleRefusal(DEFAULT_POLICY);
    return new Stage({
      journal: this.journal,
      directory,
      clock: fastClock(NOW),
      log: quiet,
      whereabouts: () => this.whereabouts,
      refuses,
      ...change,
    });
  }

  store(document: BundleDocument, pods: Pods): void {
    storeBundle(this.journal, { document, pods });
  }

  /** Of the assignments that come. */
  parameters: Record<string, string> = {};

  /** Accepts an assignment of these bundles and makes a pass. */
  assign(documents: readonly BundleDocument[], root?: RootDocument, attempt = 0) {
    const { parameters } = this;
    const bundles = documents.map(document => ({ ...assigned(document), attempt }));
    acceptAssignment(this.journal, { generation: ++this.#generation, bundles, parameters });
    return this.pass(root);
  }

  pass(root: RootDocument = rootDocument()) {
    return this.stage.pass(this.journal.accepted()?.document ?? null, root);
  }

  states(): string[] {
    return this.journal.bundles().map(({ name, state, reason }) => `${name} ${state} ${reason}`);
  }

  files(): string[] {
    return fs.readdirSync(this.manifests).sort();
  }

  activate(name: string, pod: string) {
    const bundle = made(name, pod);
    this.store(bundle.document, bundle.pods);
    this.assign([bundle.document]);
    return bundle;
  }
}

/** A bundle of one pod. */
export function made(name: string, pod: string, change: Partial<BundleDocument> = {}) {
  const pods = [podManifest(pod, `${name}:1`)];
  return { document: bundleDocument(pods, { name, ...change }), pods };
}
