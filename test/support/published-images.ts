/** An engine beside two registries, one open and one with a password, each with an image that nobody else holds. */
import { docker, ensureTestImage } from './docker.js';
import { PASSWORD, startRegistry, USER, type TestRegistry } from './registry.js';
import type { RuntimeSubject } from '../contracts/runtime-case.js';
import type { ImagesSubject } from '../contracts/runtime-images.contract.js';

/** The test image with a word of its own in it, so that its layers are nobody else's. */
function buildImage(word: string): string {
  const name = `flotilla.dev/${word}`;
  const id = docker('create', ensureTestImage(), 'true');
  docker('commit', '--change', `LABEL word=${word}`, id, name);
  docker('rm', id);
  return name;
}

function publish(registry: TestRegistry, word: string): string {
  const image = buildImage(`${word}-${process.pid}`);
  const reference = registry.push(image, `team/${word}:1`);
  docker('image', 'rm', image);
  return reference;
}

/** `open` is told the registries' hosts, which speak without TLS. */
export async function withRegistries(
  open: (insecure: readonly string[]) => RuntimeSubject | Promise<RuntimeSubject>,
): Promise<ImagesSubject> {
  const [free, guarded] = await Promise.all([
    startRegistry({ password: false }),
    startRegistry({ password: true }),
  ]);
  const published = publish(free, 'open');
  const hidden = publish(guarded, 'hidden');
  const subject = await open([free.host, guarded.host]);
  return {
    ...subject,
    published,
    hidden,
    auth: { username: USER, password: PASSWORD, serverAddress: guarded.host },
    close: async () => {
      for (const { id, names } of await subject.runtime.images()) {
        const isOurs = names.some(name => [published, hidden].includes(name));
        if (isOurs) await subject.runtime.removeImage(id).catch(() => undefined);
      }
      await subject.close();
      free.close();
      guarded.close();
    },
  };
}
