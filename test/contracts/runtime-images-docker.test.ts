/** A real Docker Engine and real registries keep the image contract; and what only a registry's own answers can show. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noEngine } from '../support/docker.js';
import { dockerSubject } from '../support/docker-subject.js';
import { withRegistries } from '../support/published-images.js';
import {
  noRegistry,
  PASSWORD,
  startBrokenRegistry,
  startRegistry,
  USER,
  type TestRegistry,
} from '../support/registry.js';
import { refusesWith } from './runtime-case.js';
import { imagesContract } from './runtime-images.contract.js';

const skip = noEngine() || noRegistry();

imagesContract('Docker Engine', () => withRegistries(dockerSubject), skip);

describe('what registries answer, through a real Docker Engine', { skip }, () => {
  const subject = dockerSubject();
  let empty: TestRegistry;
  before(async () => {
    empty = await startRegistry({ password: false });
  });
  after(() => {
    subject.close();
    empty.close();
  });

  test('row 125: an image that a registry does not have is ErrImagePull, in its words', async () => {
    await assert.rejects(
      subject.runtime.pullImage(`${empty.host}/none:1`),
      error => refusesWith('ErrImagePull')(error) && /not found|unknown/.test(String(error)),
    );
  });

  test('row 125: a registry behind a broken gateway is RegistryUnavailable', async () => {
    const broken = await startBrokenRegistry(503, '<html>a whole page</html>');
    try {
      const pull = subject.runtime.pullImage(`${broken.host}/web:1`);
      await assert.rejects(pull, refusesWith('RegistryUnavailable'));
    } finally {
      broken.close();
    }
  });

  test('what a registry says again of a password is not in the error', async () => {
    const broken = await startBrokenRegistry(401, `{"errors":[{"message":"no ${PASSWORD}"}]}`);
    try {
      const auth = [{ username: USER, password: PASSWORD, serverAddress: broken.host }];
      await assert.rejects(
        subject.runtime.pullImage(`${broken.host}/web:1`, { auth }),
        error => refusesWith('ErrImagePull')(error) && !String(error).includes(PASSWORD),
      );
    } finally {
      broken.close();
    }
  });
});
