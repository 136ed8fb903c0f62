/** The sandbox's image: one static program, put on the engine as it is, so that no registry is asked for it. */
import type Docker from 'dockerode';
import { pack, type Pack } from 'tar-stream';
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
  const progress = await docker.loadImage(
    (await pauseArchive(arch)) as unknown as NodeJS.ReadableStream,
  );
  await new Promise<void>((done, fail) =>
    docker.modem.followProgress(progress, error => (error ? fail(error) : done())),
  );
  return name;
}

/** How images call what `process.arch` says. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64' };
const EPOCH = new Date(0);

async function bytesOf(tar: Pack): Promise<Buffer> {
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The image as `docker save` would write it: taken alike by every engine, and the same wherever it is made. */
async function pauseArchive(arch: string): Promise<Pack> {
  const files = pack();
  files.entry({ name: 'pause', mode: 0o755, mtime: EPOCH }, pauseBinary(arch));
  const layer = await bytesOf(files);
  const config = JSON.stringify({
    architecture: ARCHITECTURES[arch] ?? arch,
    os: 'linux',
    created: EPOCH.toISOString(),
    config: { Entrypoint: ['/pause'], User: `${NOBODY}:${NOBODY}` },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256Hex(layer)}`] },
    history: [{ created: EPOCH.toISOString(), created_by: 'flotilla-agent' }],
  });
  const Config = `${sha256Hex(config)}.json`;
  const manifest = [{ Config, RepoTags: [pauseImageName(arch)], Layers: ['layer.tar'] }];
  const archive = pack();
  archive.entry({ name: 'layer.tar' }, layer);
  archive.entry({ name: Config }, config);
  archive.entry({ name: 'manifest.json' }, JSON.stringify(manifest));
  archive.finalize();
  return archive;
}
