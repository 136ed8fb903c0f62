/** The sandbox's image: one static program, put on the engine as it is, so that no registry is asked for it. */
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { sha256Hex } from '../../protocol/canonical.js';
import { statusOf } from './docker-errors.js';
import { PAUSE_BINARIES } from './pause-binaries.js';
import { RuntimeError } from './runtime.js';

const REPOSITORY = 'flotilla.dev/pause';
const NOBODY = 65535;

/** Throws `CreatePodSandboxError` on an architecture that no pause was assembled for. */
export function pauseBinary(arch: string): Buffer {
  const binary = PAUSE_BINARIES[arch];
  if (binary === undefined) {
    throw new RuntimeError('CreatePodSandboxError', `no sandbox program for ${arch}`, {
      retry: 'never',
    });
  }
  return Buffer.from(binary, 'base64');
}

/** Named by its content: an agent that brings another pause uses another image. */
export function pauseImageName(arch: string): string {
  return `${REPOSITORY}:1-${sha256Hex(pauseBinary(arch)).slice(0, 8)}`;
}

/** Makes the image unless it is there. Safe to call again, and from several pods at once. */
export async function ensurePauseImage(docker: Docker, arch: string): Promise<string> {
  const name = pauseImageName(arch);
  try {
    await docker.getImage(name).inspect();
    return name;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
  const tar = pack();
  tar.entry({ name: 'pause', mode: 0o755 }, pauseBinary(arch));
  tar.finalize();
  const [repo, tag] = name.split(':');
  const changes = `ENTRYPOINT ["/pause"]\nUSER ${NOBODY}:${NOBODY}`;
  const progress = await docker.importImage(tar as unknown as NodeJS.ReadableStream, {
    repo,
    tag,
    changes,
  });
  await new Promise<void>((done, fail) =>
    docker.modem.followProgress(progress, error => (error ? fail(error) : done())),
  );
  return name;
}
