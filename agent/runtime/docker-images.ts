/** Images on the engine: looking them up, pulling them; the registry's reasons in the port's words. */
import { statfs } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { parseImageReference } from '../../protocol/pod-image.js';
import type { RegistryAuth } from '../../protocol/registry-credentials.js';
import { isGone, messageOf, runtimeErrorOf, statusOf } from './docker-errors.js';
import type { ImageFilesystem, PullOptions, StoredImage } from './images.js';
import { PullCounter, type ProgressLine } from './pull-progress.js';
import { RuntimeError, type ImageInfo } from './runtime.js';

/** Of a registry's answer, which may be a whole page. */
const REASON_MAX = 1024;

const IMAGE_ID = /^sha256:[0-9a-f]{64}$/;

/** Null when the engine does not have it. Throws `InvalidImageName`, `ImageInspectError`. */
export async function imageStatus(docker: Docker, image: string): Promise<ImageInfo | null> {
  if (!IMAGE_ID.test(image) && parseImageReference(image) === null) {
    throw invalidName(new Error(`invalid reference format: ${JSON.stringify(image)}`));
  }
  try {
    const info = await docker.getImage(image).inspect();
    return { id: info.Id, repoDigests: info.RepoDigests ?? [], user: info.Config?.User ?? '' };
  } catch (error) {
    if (isGone(error)) return null;
    if (statusOf(error) === 400) throw invalidName(error);
    throw runtimeErrorOf(error, 'ImageInspectError');
  }
}

/**
 * With each of the credentials in turn, then without. Throws `InvalidImageName`, `RegistryUnavailable`, `ErrImagePull` with the
 * registry's own reasons but without what was sent to it, `EngineUnavailable`; the reason of the signal when that aborts.
 */
export async function pullImage(
  docker: Docker,
  image: string,
  { auth = [], signal, onProgress = () => undefined }: PullOptions,
): Promise<void> {
  const reasons: string[] = [];
  for (const credentials of [...auth, null]) {
    signal?.throwIfAborted();
    try {
      await pullOnce(docker, image, { credentials, signal, onProgress });
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (statusOf(error) === 400 && !isRefusal(error)) throw invalidName(error);
      const failure = runtimeErrorOf(error, 'ErrImagePull');
      if (failure.code === 'EngineUnavailable') throw failure;
      const reason = withoutSecrets(failure.message, auth);
      // Another password does not bring a registry back.
      if (!isRefusal(error)) throw pullError(reason);
      if (!reasons.includes(reason)) reasons.push(reason);
    }
  }
  throw pullError(reasons.join('; '));
}

async function pullOnce(
  docker: Docker,
  image: string,
  {
    credentials,
    signal,
    onProgress,
  }: {
    credentials: RegistryAuth | null;
    signal: AbortSignal | undefined;
    onProgress: NonNullable<PullOptions['onProgress']>;
  },
): Promise<void> {
  const progress = await docker.pull(image, {
    ...(signal ? { abortSignal: signal } : {}),
    ...(credentials
      ? {
          authconfig: {
            username: credentials.username,
            password: credentials.password,
            serveraddress: credentials.serverAddress,
          },
        }
      : {}),
  });
  await new Promise<void>((done, fail) => {
    const stop = () => {
      (progress as unknown as { destroy(): void }).destroy();
      fail(signal?.reason as Error);
    };
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
    const counter = new PullCounter();
    const note = (line: ProgressLine) => {
      const now = counter.note(line);
      if (now !== null) onProgress(now);
    };
    docker.modem.followProgress(
      progress,
      (error, lines) => {
        signal?.removeEventListener('abort', stop);
        const failure = error ?? failureIn(lines as readonly ProgressLine[]);
        if (failure) fail(failure);
        else done();
      },
      note,
    );
  });
}

/** Throws `ErrImagePull`, `EngineUnavailable`. */
export async function loadImages(
  docker: Docker,
  archive: AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    const progress = await docker.loadImage(Readable.from(archive));
    await new Promise<void>((done, fail) => {
      docker.modem.followProgress(progress, (error, lines) => {
        const failure = error ?? failureIn(lines as readonly ProgressLine[]);
        if (failure) fail(failure);
        else done();
      });
    });
  } catch (error) {
    throw runtimeErrorOf(error, 'ErrImagePull');
  }
}

/** What goes wrong once the answer has begun is said in its last line; Podman says everything there. */
function failureIn(lines: readonly ProgressLine[]): Error | null {
  const said = lines.find(({ error }) => error !== undefined)?.error;
  return said === undefined ? null : Object.assign(new Error(said), { statusCode: 500 });
}

/** The registry answered and said no: with other credentials it may say yes. An unknown image may be a hidden one. */
function isRefusal(error: unknown): boolean {
  const text = messageOf(error);
  return /unauthori[sz]ed|denied|authentication|basic auth|forbidden|not found|unknown|incorrect/i.test(
    text,
  );
}

/** Docker's, containerd's and Podman's words for content that is not what its digest says. */
function isMismatch(reason: string): boolean {
  return /verification failed for digest|unexpected commit digest|does not match (?:provided )?(?:manifest )?digest/i.test(
    reason,
  );
}

/** dockershim's rule: a gateway's page says nothing that a person could use (row 125). */
function pullError(reason: string): RuntimeError {
  if (isMismatch(reason))
    return new RuntimeError('ImageDigestMismatch', reason.slice(0, REASON_MAX));
  const isDown = /\b(?:502|503|504)\b|Bad Gateway|Service Unavailable|Gateway Time/i.test(reason);
  const message = reason.length > REASON_MAX ? `${reason.slice(0, REASON_MAX)}…` : reason;
  return new RuntimeError(isDown ? 'RegistryUnavailable' : 'ErrImagePull', message);
}

/** A registry, or a proxy in front of it, may say again what it was told. */
export function withoutSecrets(text: string, auth: readonly RegistryAuth[]): string {
  let clean = text.replace(/(?<!\w)(\w+:\/\/)[^/\s@]+@/g, '$1***@');
  for (const { username, password } of auth) {
    const encoded = Buffer.from(`${username}:${password}`).toString('base64');
    for (const secret of [encoded, password]) {
      if (secret !== '') clean = clean.replaceAll(secret, '***');
    }
  }
  return clean;
}

function invalidName(error: unknown): RuntimeError {
  return new RuntimeError('InvalidImageName', messageOf(error), { retry: 'never' });
}

/** All of the engine, whoever brought them. Names that the engine writes as `<none>` are left out. */
export async function storedImages(docker: Docker): Promise<readonly StoredImage[]> {
  const listed = await docker.listImages();
  return listed.map(one => ({
    id: one.Id,
    names: [...(one.RepoTags ?? []), ...(one.RepoDigests ?? [])].filter(
      name => !name.includes('<none>'),
    ),
    sizeBytes: one.Size,
    createdAt: new Date(one.Created * 1000),
  }));
}

/** Of each image, the unpacked layers; one that goes meanwhile has none. */
export async function storedLayers(docker: Docker): Promise<readonly (readonly string[])[]> {
  const listed = await docker.listImages();
  const inspected = listed.map(async ({ Id }) => {
    try {
      const { RootFS } = await docker.getImage(Id).inspect();
      return RootFS?.Layers ?? [];
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  });
  return Promise.all(inspected);
}

/** Of all containers of the engine, ours or not, running or not. */
export async function imagesInUse(docker: Docker): Promise<ReadonlySet<string>> {
  const listed = await docker.listContainers({ all: true });
  return new Set(listed.map(one => one.ImageID));
}

/**
 * With all its names, but not when a container holds it: the engine refuses that by itself, as nothing is forced. Gone already = done.
 */
export async function removeImage(docker: Docker, id: string): Promise<void> {
  const names = (await storedImages(docker)).find(one => one.id === id)?.names;
  if (names === undefined) return;
  const used = await imagesInUse(docker);
  if (used.has(id)) throw new RuntimeError('EngineError', `image ${id} is in use by a container`);
  for (const name of names.length === 0 ? [id] : names) {
    try {
      await docker.getImage(name).remove({ noprune: false });
    } catch (error) {
      if (!isGone(error)) throw runtimeErrorOf(error, 'EngineError');
    }
  }
}

/** Of the engine's root directory. Throws `EngineError` where the agent does not see it. */
export async function imageFilesystem(docker: Docker): Promise<ImageFilesystem> {
  const { DockerRootDir: path } = (await docker.info()) as { DockerRootDir: string };
  try {
    const { blocks, bavail, bsize } = await statfs(path);
    return { path, totalBytes: blocks * bsize, availableBytes: bavail * bsize };
  } catch (error) {
    const message = `the engine's directory ${path} cannot be measured: ${messageOf(error)}`;
    throw new RuntimeError('EngineError', message, { cause: error });
  }
}
