/** Images on the engine: looking them up, pulling them; the registry's reasons in the port's words. */
import { statfs } from 'node:fs/promises';
import type Docker from 'dockerode';
import { isGone, messageOf, runtimeErrorOf, statusOf } from './docker-errors.js';
import type { ImageFilesystem, StoredImage } from './images.js';
import { RuntimeError, type ImageInfo } from './runtime.js';

/** Null when the engine does not have it. Throws `InvalidImageName`. */
export async function imageStatus(docker: Docker, image: string): Promise<ImageInfo | null> {
  try {
    const info = await docker.getImage(image).inspect();
    return { id: info.Id, repoDigests: info.RepoDigests ?? [], user: info.Config?.User ?? '' };
  } catch (error) {
    if (isGone(error)) return null;
    if (statusOf(error) === 400) throw invalidName(error);
    throw runtimeErrorOf(error, 'EngineError');
  }
}

/** Throws `InvalidImageName`, `ErrImagePull` with the registry's reason, `EngineUnavailable`. */
export async function pullImage(
  docker: Docker,
  image: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    const progress = await docker.pull(image, signal ? { abortSignal: signal } : {});
    await new Promise<void>((done, fail) =>
      docker.modem.followProgress(progress, error => (error ? fail(error) : done())),
    );
  } catch (error) {
    if (statusOf(error) === 400) throw invalidName(error);
    const failure = runtimeErrorOf(error, 'ErrImagePull');
    const known = failure.code === 'EngineUnavailable' || failure.code === 'ErrImagePull';
    throw known ? failure : new RuntimeError('ErrImagePull', failure.message, { cause: error });
  }
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
