/**
 * The images of an export, saved by the container engine of this machine (`docker save`): only those that a bundle binds to the very
 * content that lies here, for a node takes no other. Kept in a temporary file, since their size stands before them.
 */
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CliError } from '../../protocol/cli-error.js';
import type { CarriedImages } from '../../protocol/carried.js';
import type { ImageEntry } from '../../protocol/documents/bundle.js';
import { satisfies } from '../../protocol/image-binding.js';

export interface SavedImages extends CarriedImages {
  readonly names: readonly string[];
}

/** Undefined: no bundle binds an image. Throws `CliError`. */
export async function savedImages(
  socketPath: string,
  images: readonly ImageEntry[],
): Promise<SavedImages | undefined> {
  const names = [...new Set(images.map(({ image }) => image))].sort();
  if (names.length === 0) {
    throw new CliError(
      'refused',
      'no bundle of these nodes binds its images, and a node takes only bound ones from a stick',
      'name them by tag and apply with --pin; one whose name has a digest cannot travel: loaded from a file it has none',
    );
  }
  for (const { image, digests } of images) await check(socketPath, image, digests);
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-images-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'images.tar');
  const query = names.map(name => `names=${encodeURIComponent(name)}`).join('&');
  await pipeline(await get(socketPath, `/images/get?${query}`), createWriteStream(path));
  return { names, size: statSync(path).size, bytes: createReadStream(path) };
}

async function check(socketPath: string, image: string, digests: readonly string[]) {
  const response = await get(socketPath, `/images/${encodeURIComponent(image)}/json`, image);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const { Id } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { Id: string };
  // What is loaded from a file has no digest of a registry any more.
  if (satisfies({ id: Id, repoDigests: [] }, digests)) return;
  throw new CliError(
    'refused',
    `image ${image} of this machine is ${Id}, not what its bundle binds (${digests.join(', ')})`,
    `docker pull ${image}, or apply the bundle again with --pin`,
  );
}

function get(socketPath: string, path: string, image?: string): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const asked = request({ socketPath, path }, response => {
      if (response.statusCode === 200) return done(response);
      response.resume();
      fail(
        response.statusCode === 404 && image !== undefined
          ? new CliError('refused', `image ${image} is not on this machine`, `docker pull ${image}`)
          : new CliError('failed', `${socketPath}: the engine answered ${response.statusCode}`),
      );
    });
    asked.on('error', error => {
      const hint = 'start Docker, pass --engine-socket, or leave --with-images out';
      fail(new CliError('failed', `no engine answers on ${socketPath}: ${error.message}`, hint));
    });
    asked.end();
  });
}
