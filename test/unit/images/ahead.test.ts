/** Images of a revision that is being staged: what holds it up, what is pulled, what is given up. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ImagesAhead } from '../../../agent/images/ahead.js';
import { RESERVE_BYTES } from '../../../agent/images/limits.js';
import type { ImagePulls, PullState } from '../../../agent/images/pulls.js';
import { RuntimeError } from '../../../agent/runtime/runtime.js';
import type { ValidPod } from '../../../protocol/pod.js';
import { fastClock } from '../../support/fast-clock.js';
import { eventually } from '../../support/wait.js';

const BUNDLE = { namespace: 'default', name: 'shop' };
const DIGEST = `sha256:${'d'.repeat(64)}`;

class World {
  readonly here = new Set<string>();
  readonly pulled: string[] = [];
  readonly given: string[] = [];
  availableBytes = 10 * RESERVE_BYTES;
  missingSecrets: string[] = [];
  readonly states = new Map<string, PullState>();
  changes = 0;
  asked: Parameters<ImagesAhead['hold']>[0] | null = null;
  /** What the registry does. */
  pull: (image: string) => Promise<void> = async () => undefined;
  readonly ahead: ImagesAhead;

  constructor(speed = 1000) {
    const info = (image: string) => ({ id: `id of ${image}`, repoDigests: [], user: '' });
    const pulls: ImagePulls = {
      credentials: async () => ({ auth: [], missing: this.missingSecrets }),
      pull: async (image, _auth, signal) => {
        this.pulled.push(image);
        signal.addEventListener('abort', () => this.given.push(image));
        await this.pull(image);
        this.here.add(image);
        return { ...info(image), repoDigests: [`web@${DIGEST}`] };
      },
      progress: image => this.states.get(image) ?? null,
    };
    const quiet = () => undefined;
    this.ahead = new ImagesAhead({
      store: {
        imageStatus: async image => (this.here.has(image) ? info(image) : null),
        imageFilesystem: async () => ({
          ...{ path: '/var/lib/docker', totalBytes: 1e12 },
          availableBytes: this.availableBytes,
        }),
      },
      pulls,
      objects: () => [],
      clock: fastClock(0, speed),
      log: { info: quiet, warn: quiet, error: quiet },
      onChange: () => this.changes++,
    });
  }

  hold(
    images: readonly string[],
    change: { digest?: string; policy?: string; bound?: boolean; isReturn?: boolean } = {},
  ) {
    const containers = images.map((image, i) => ({
      ...{ name: `c${i}`, image },
      ...(change.policy === undefined ? {} : { imagePullPolicy: change.policy }),
    }));
    const pod = { metadata: { name: 'web' }, spec: { containers } } as ValidPod;
    const bindings = new Map(change.bound ? images.map(image => [image, [DIGEST]] as const) : []);
    const { digest = 'one', isReturn = false } = change;
    this.asked = { bundle: BUNDLE, digest, pods: [pod], bindings, isReturn };
    return this.ahead.hold(this.asked);
  }
}

const settled = (it: World, ...args: Parameters<World['hold']>) =>
  eventually('an answer', () => {
    const hold = it.hold(...args);
    return hold?.reason === '' ? false : { hold };
  });

describe('an image that is awaited', () => {
  test('and is here holds nothing up, and nothing is pulled', async () => {
    const it = new World();
    it.here.add('web:1');
    assert.equal(it.hold(['web:1'])?.reason, '', 'nothing is known at first');
    assert.deepEqual(await settled(it, ['web:1']), { hold: null });
    assert.deepEqual(it.pulled, []);
    assert.ok(it.changes > 0);
  });

  test('and is not here is pulled once, however often it is asked for', async () => {
    const it = new World();
    let finish: () => void = () => undefined;
    it.pull = () => new Promise(done => (finish = done));
    it.here.add('other:1');
    const { hold } = await settled(it, ['web:1', 'other:1', 'web:1']);
    assert.equal(hold?.reason, 'PullingImage');
    await eventually('the other one is found', () =>
      /^image "web:1": it is being pulled; 1 of 2 images are here$/.test(
        it.hold(['web:1', 'other:1', 'web:1'])?.message ?? '',
      ),
    );
    finish();
    await eventually('it is here', () => it.hold(['web:1', 'other:1', 'web:1']) === null);
    assert.deepEqual(it.pulled, ['web:1']);
  });

  test('and cannot be had says why, and is asked for again', async () => {
    const it = new World();
    let isThere = false;
    it.pull = async () => {
      if (!isThere) throw new RuntimeError('ErrImagePull', 'no such tag');
    };
    await eventually('the reason', () => it.hold(['web:1'])?.reason === 'ErrImagePull');
    assert.match(it.hold(['web:1'])?.message ?? '', /^image "web:1": no such tag; 0 of 1/);
    await eventually('it is asked for again', () => it.pulled.length > 2);
    assert.equal(it.hold(['web:1'])?.reason, 'ErrImagePull', 'and said in one way all the time');
    isThere = true;
    await eventually('it is here', () => it.hold(['web:1']) === null);
  });

  test('and was seen just now is there for whoever begins; long after it is looked up again', async () => {
    const it = new World(20);
    it.here.add('web:1');
    await settled(it, ['web:1']);
    const confirmed = () => it.asked !== null && it.ahead.confirm(it.asked);
    assert.equal(confirmed(), true);
    await new Promise(done => setTimeout(done, 2000));
    const before = it.changes;
    assert.equal(confirmed(), false, 'forty seconds later nobody knows');
    assert.deepEqual(await settled(it, ['web:1']), { hold: null });
    assert.ok(it.changes > before, 'whoever waits is told');
    assert.equal(confirmed(), true, 'it was asked for this');
    assert.deepEqual(it.pulled, []);
  });

  test('and was removed while its revision waited is missed before that begins, and pulled again', async () => {
    const it = new World(20);
    it.here.add('web:1');
    await settled(it, ['web:1']);
    await new Promise(done => setTimeout(done, 2000));
    it.here.delete('web:1');
    it.pull = () => Promise.reject(new RuntimeError('ErrImagePull', 'no registry'));
    assert.equal(it.asked !== null && it.ahead.confirm(it.asked), false);
    await eventually('the reason', () => it.hold(['web:1'])?.reason === 'ErrImagePull');
    it.pull = async () => undefined;
    await eventually('it is here again', () => it.hold(['web:1']) === null);
  });

  test('and was brought meanwhile is found at once when somebody says so', async () => {
    // At this pace the next look is more than a minute away.
    const it = new World(0.1);
    it.pull = () => Promise.reject(new RuntimeError('ErrImagePull', 'no registry'));
    await eventually('the reason', () => it.hold(['web:1'])?.reason === 'ErrImagePull');
    it.here.add('web:1');
    await eventually('it is asked for', () => it.pulled.length === 1);
    it.ahead.lookAgain();
    await eventually('it is here', () => it.hold(['web:1']) === null);
    it.ahead.close();
  });

  test('that is never to be pulled is waited for', async () => {
    const it = new World();
    const never = { policy: 'Never' };
    await eventually('it', () => it.hold(['web:1'], never)?.reason === 'ErrImageNeverPull');
    it.here.add('web:1');
    await eventually('it is here', () => it.hold(['web:1'], never) === null);
    assert.deepEqual(it.pulled, []);
  });

  test('that is always to be pulled is pulled although it is here', async () => {
    const it = new World();
    it.here.add('web:1');
    await eventually('it is here', () => it.hold(['web:1'], { policy: 'Always' }) === null);
    assert.deepEqual(it.pulled, ['web:1']);
  });

  test('that is bound is pulled by its digest', async () => {
    const it = new World();
    await eventually('it is here', () => it.hold(['web:1'], { bound: true }) === null);
    assert.deepEqual(it.pulled, [`web@${DIGEST}`]);
  });

  test('is not pulled onto a disk that is full', async () => {
    const it = new World();
    it.availableBytes = RESERVE_BYTES - 1;
    await eventually('the reason', () => it.hold(['web:1'])?.reason === 'DiskPressure');
    assert.match(it.hold(['web:1'])?.message ?? '', /\/var\/lib\/docker has 63 MiB left/);
    assert.deepEqual(it.pulled, []);
    it.availableBytes = RESERVE_BYTES;
    await eventually('it is here', () => it.hold(['web:1']) === null);
  });

  test('whose pull secret is not known here is left to the pod runner', async () => {
    const it = new World();
    it.missingSecrets = ['mine'];
    await eventually('no hold', () => it.hold(['web:1']) === null);
    assert.deepEqual(it.pulled, []);
  });

  test('is told with how far it is, and what is recorded of it does not change', async () => {
    const it = new World();
    assert.equal(it.ahead.pulling(BUNDLE), null);
    it.pull = () => new Promise(() => undefined);
    await eventually('a pull', () => it.hold(['web:1'])?.reason === 'PullingImage');
    const told = () => it.ahead.pulling(BUNDLE)?.message;
    assert.equal(told(), 'image "web:1": it is being pulled; 0 of 1 images are here');
    it.states.set('web:1', { percent: 35, bytes: 10 * 1024 * 1024 });
    assert.equal(
      told(),
      'image "web:1": it is being pulled, 35 % of 10 MiB; 0 of 1 images are here',
    );
    it.states.set('web:1', { percent: null, bytes: 16 * 1024 * 1024 });
    assert.equal(
      told(),
      'image "web:1": it is being pulled, 16 MiB so far; 0 of 1 images are here',
    );
    assert.equal(
      it.hold(['web:1'])?.message,
      'image "web:1": it is being pulled; 0 of 1 images are here',
    );
    it.ahead.close();
  });

  test('to go back to is pulled if it went, and enough if it is here', async () => {
    const it = new World();
    it.here.add('old:1');
    const back = { isReturn: true, policy: 'Always' };
    await eventually('it is here', () => it.hold(['old:1'], back) === null);
    assert.deepEqual(it.pulled, []);
    await eventually('it is here', () => it.hold(['gone:1'], { ...back, digest: 'two' }) === null);
    assert.deepEqual(it.pulled, ['gone:1']);
  });

  test('to go back to, and what is staged next, leave each other alone', async () => {
    const it = new World();
    it.pull = () => new Promise(() => undefined);
    const next = () => it.hold(['new:1'], { digest: 'new' });
    const back = () => it.hold(['old:1'], { digest: 'old', isReturn: true });
    await eventually('both', () => [next(), back()].every(one => one?.reason === 'PullingImage'));
    assert.deepEqual([[...it.pulled].sort(), it.given], [['new:1', 'old:1'], []]);
    it.ahead.dropReturn(BUNDLE);
    assert.deepEqual(it.given, ['old:1']);
    it.ahead.drop(BUNDLE);
    assert.deepEqual(it.given, ['old:1', 'new:1']);
  });

  test('is given up when another revision is wanted, or none', async () => {
    const it = new World();
    it.pull = () => new Promise(() => undefined);
    await eventually('a pull', () => it.hold(['web:1'])?.reason === 'PullingImage');
    it.hold(['web:2'], { digest: 'two' });
    assert.deepEqual(it.given, ['web:1']);
    await eventually('a pull', () => it.hold(['web:2'], { digest: 'two' })?.reason !== '');
    it.ahead.drop(BUNDLE);
    assert.deepEqual(it.given, ['web:1', 'web:2']);
  });
});
