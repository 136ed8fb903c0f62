/** Sandboxes on an engine where somebody clears away what nothing uses at the moment. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DockerConnection } from '../../../agent/runtime/docker-connection.js';
import { DockerSandboxes } from '../../../agent/runtime/docker-sandbox.js';
import { podIdentity, sandboxSpec } from '../../contracts/runtime-case.js';

/** An engine whose creations fail with these, one after the other, and then succeed. */
function engineOf(...statusCodes: readonly number[]) {
  const failures = [...statusCodes];
  const seen = { images: 0, creations: 0 };
  const slow = {
    getImage: () => ({ inspect: async () => void seen.images++ }),
    getContainer: () => ({ start: async () => undefined }),
  };
  const engine = {
    options: { owner: 'me', arch: 'x64', log: { warn: () => undefined } },
    slow,
    cache: { drop: () => undefined },
    kind: async () => 'docker',
    attempt: (_code: string, work: () => Promise<unknown>) => work(),
    create: async () => {
      seen.creations++;
      const statusCode = failures.shift();
      if (statusCode !== undefined) {
        throw Object.assign(new Error('No such image: pause'), { statusCode });
      }
      return 'made';
    },
  };
  return { sandboxes: new DockerSandboxes(engine as unknown as DockerConnection), seen };
}

test('an image that is removed between the look for it and its use is looked for again', async () => {
  const { sandboxes, seen } = engineOf(404);
  assert.equal(await sandboxes.run(sandboxSpec(podIdentity())), 'made');
  assert.deepEqual(seen, { images: 2, creations: 2 });
});

test('what fails otherwise, or again, is told', async () => {
  for (const failures of [[500], [404, 404]]) {
    const { sandboxes } = engineOf(...failures);
    await assert.rejects(sandboxes.run(sandboxSpec(podIdentity())), /No such image/);
  }
});
