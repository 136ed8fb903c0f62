/** Images on the engine: looking them up, pulling them; the registry's reasons in the port's words. */
import type Docker from 'dockerode';
import { isGone, messageOf, runtimeErrorOf, statusOf } from './docker-errors.js';
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
