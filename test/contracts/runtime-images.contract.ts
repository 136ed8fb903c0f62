/** What every container runtime promises of images: found, pulled with the right password, listed, removed when nothing holds them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { findBoundImage, pullBoundImage } from '../../agent/images/bound-image.js';
import { openImagePulls } from '../../agent/images/pulls.js';
import { RuntimeError } from '../../agent/runtime/runtime.js';
import type { RegistryAuth } from '../../protocol/registry-credentials.js';
import {
  containerSpec,
  podIdentity,
  refusesWith,
  sandboxSpec,
  SCRIPT,
  type RuntimeSubject,
} from './runtime-case.js';

export interface ImagesSubject extends RuntimeSubject {
  /** An image that is not on the engine but in a registry that asks nobody for a password. */
  readonly published: string;
  /** One in a registry that does; each is made of layers of its own. */
  readonly hidden: string;
  readonly auth: RegistryAuth;
}

const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };
const WRONG = { username: 'fleet', password: 'open barley', serverAddress: '' };

export function imagesContract(
  name: string,
  open: () => Promise<ImagesSubject>,
  skip: string | false = false,
): void {
  describe(`the image contract: ${name}`, { skip }, () => {
    let subject: ImagesSubject;
    before(async () => {
      subject = await open();
    });
    after(() => subject?.close());

    const stored = async (image: string) => {
      const id = (await subject.runtime.imageStatus(image))?.id;
      return (await subject.runtime.images()).find(one => one.id === id);
    };

    test('row 125: a pull brings the image, and it is listed with name, size and age', async () => {
      const { runtime, published } = subject;
      assert.equal(await runtime.imageStatus(published), null);
      const info = await runtime.pullImage(published);
      assert.deepEqual(await runtime.imageStatus(published), info);
      const seen = await stored(published);
      assert.ok(seen && seen.names.includes(published) && seen.sizeBytes > 0);
      assert.ok(seen.createdAt.getTime() > 0);
    });

    test('row 128: without the password, or with a wrong one, a pull is refused, and nothing tells it', async () => {
      const { runtime, hidden } = subject;
      await assert.rejects(runtime.pullImage(hidden), refusesWith('ErrImagePull'));
      await assert.rejects(
        runtime.pullImage(hidden, { auth: [WRONG] }),
        error => refusesWith('ErrImagePull')(error) && !String(error).includes(WRONG.password),
      );
      assert.equal(await runtime.imageStatus(hidden), null);
    });

    test('row 128: of several passwords the one that opens is found', async () => {
      const { runtime, hidden, auth } = subject;
      await runtime.pullImage(hidden, { auth: [WRONG, auth] });
      assert.ok(await runtime.imageStatus(hidden));
    });

    test('a wrong password does not keep an open image away', async () => {
      const { runtime, published } = subject;
      assert.ok((await runtime.pullImage(published, { auth: [WRONG] })).id);
    });

    test('row 204: an image that a container is made from is in use and is not removed', async () => {
      const { runtime, published } = subject;
      await runtime.pullImage(published);
      const id = (await runtime.imageStatus(published))?.id ?? '';
      const pod = podIdentity();
      const sandbox = await runtime.runSandbox(sandboxSpec(pod));
      const container = await runtime.createContainer(
        sandbox,
        pod,
        containerSpec(published, SCRIPT.runs),
      );
      assert.ok((await runtime.imagesInUse()).has(id));
      await assert.rejects(runtime.removeImage(id), RuntimeError);
      assert.ok(await runtime.imageStatus(published));
      await runtime.removeContainer(container);
    });

    test('S95: what is made from an id bears the reference of the manifest', async () => {
      const { runtime, published } = subject;
      const { id } = await runtime.pullImage(published);
      const pod = podIdentity();
      const sandbox = await runtime.runSandbox(sandboxSpec(pod));
      const reference = 'registry.example/never/asked:1';
      const spec = containerSpec(reference, SCRIPT.runs, { imageId: id });
      const container = await runtime.createContainer(sandbox, pod, spec);
      const { containers } = await runtime.observe();
      const made = containers.find(one => one.id === container);
      assert.equal(made?.image, reference);
      assert.ok((await runtime.imagesInUse()).has(id));
      await runtime.removeContainer(container);
      await runtime.removeSandbox(sandbox);
    });

    test('S95: what is bound is found under the tag, else pulled by its digest and nothing else', async t => {
      const { runtime, published } = subject;
      const { id, repoDigests } = await runtime.pullImage(published);
      const [digest] = repoDigests.map(one => one.slice(one.indexOf('@') + 1));
      if (digest === undefined) return t.skip('an engine without digests');
      assert.equal((await findBoundImage(runtime, published, [id]))?.id, id);
      await runtime.removeImage(id);
      assert.equal(await findBoundImage(runtime, published, [digest]), null);
      const images = openImagePulls({ store: runtime, log: QUIET });
      const ask = { auth: [], signal: AbortSignal.timeout(60_000) };
      await pullBoundImage(images, { image: published, digests: [digest] }, ask);
      assert.equal(await runtime.imageStatus(published), null);
      assert.equal((await findBoundImage(runtime, published, [digest]))?.id, id);
      const other = `sha256:${'0'.repeat(64)}`;
      assert.equal(await findBoundImage(runtime, published, [other]), null);
      const foreign = pullBoundImage(images, { image: published, digests: [other] }, ask);
      await assert.rejects(foreign, refusesWith('ErrImagePull'));
    });

    test('row 204: one that nothing holds is removed; twice is the same as once', async () => {
      const { runtime, published } = subject;
      const { id } = await runtime.pullImage(published);
      assert.ok(!(await runtime.imagesInUse()).has(id));
      for (let i = 0; i < 2; i++) await runtime.removeImage(id);
      assert.equal(await runtime.imageStatus(published), null);
      assert.ok(!(await runtime.images()).some(one => one.id === id));
    });

    test('row 125: what is not a name of an image is InvalidImageName', async () => {
      await assert.rejects(
        subject.runtime.imageStatus('Not A Name'),
        refusesWith('InvalidImageName'),
      );
    });

    test('a pull that is given up ends with its reason', async () => {
      const signal = AbortSignal.abort(new Error('no longer wanted'));
      const pull = subject.runtime.pullImage(subject.published, { signal });
      await assert.rejects(pull, /no longer wanted/);
    });

    test('row 204: the disk of the images has a size', async () => {
      const { path, totalBytes, availableBytes } = await subject.runtime.imageFilesystem();
      assert.ok(path.startsWith('/') && totalBytes >= availableBytes && availableBytes > 0);
    });
  });
}
