import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { writeBundle, type BundleApiObject } from '../../../hub/cli/bundle-write.js';
import { ApiError, type Call } from '../../../hub/cli/client.js';
import { DEFAULT_STRATEGY } from '../../../protocol/strategy.js';

const SOURCE = {
  namespace: 'default',
  name: 'shop',
  manifests: [],
  pods: [],
  secrets: [],
  daemonSet: null,
  built: null,
};

type Metadata = BundleApiObject['metadata'];

/** A hub's rule: a write names the version that it builds on. */
class OneBundle {
  version = 1;
  metadata: Metadata = { name: 'shop', uid: 'u1', generation: 1, labels: { app: 'shop' } };
  writes: Call[] = [];
  /** Called before each write is judged. */
  before: () => void = () => undefined;

  object(): BundleApiObject {
    const resourceVersion = String(this.version);
    const metadata = { ...this.metadata, resourceVersion };
    return { metadata, spec: { nodeSelector: '', manifests: [] } };
  }

  get<T>(): Promise<T | null> {
    return Promise.resolve(this.object() as T);
  }

  call<T>(call: Call): Promise<T> {
    this.before();
    const { metadata } = call.body as { metadata: Metadata };
    if (metadata.resourceVersion !== String(this.version)) {
      const status = { kind: 'Status', reason: 'Conflict', message: 'changed meanwhile' } as const;
      return Promise.reject(new ApiError(status, 409));
    }
    this.writes.push(call);
    this.version++;
    return Promise.resolve(this.object() as T);
  }
}

function writeAfter(hub: OneBundle, between: () => void) {
  const current = hub.object();
  between();
  return writeBundle(hub, SOURCE, {
    ...{
      current,
      selector: 'a=b',
      images: [],
      strategy: DEFAULT_STRATEGY,
      plan: null,
      changeCause: '',
      dryRun: false,
    },
  });
}

describe('a write on top of what was read', () => {
  test('is made again when only the status was written in between', async () => {
    const hub = new OneBundle();
    let writes = 0;
    hub.before = () => {
      if (++writes <= 5) hub.version++;
    };
    await writeAfter(hub, () => hub.version++);
    assert.equal(hub.writes.length, 1);
    assert.equal(writes, 6);
  });

  for (const [what, change] of [
    ['what it wants of the nodes', { generation: 2 }],
    ['its labels', { labels: { app: 'other' } }],
    ['its annotations', { annotations: { note: 'mine' } }],
    ['all of it, by deleting it and making it anew', { uid: 'u2' }],
  ] as const) {
    test(`is refused when somebody changed ${what}`, async () => {
      const hub = new OneBundle();
      const write = writeAfter(hub, () => {
        hub.version++;
        hub.metadata = { ...hub.metadata, ...change };
      });
      await assert.rejects(write, { reason: 'Conflict' });
      assert.equal(hub.writes.length, 0);
    });
  }

  test('ends with the refusal where the status never rests', async () => {
    const hub = new OneBundle();
    hub.before = () => hub.version++;
    await assert.rejects(
      writeAfter(hub, () => undefined),
      { reason: 'Conflict' },
    );
  });
});
