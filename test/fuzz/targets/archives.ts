/** Archives: of a bundle, of messages that are carried in a file, of images, of a hub. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { whyNotLoad } from '../../../agent/carry/images.js';
import { readArchive as readBackup } from '../../../hub/backup/archive.js';
import { formatDescription } from '../../../hub/backup/description.js';
import { SetupError } from '../../../hub/setup/setup-error.js';
import { readArchive } from '../../../hub/signing/archive.js';
import { packBundleFile, readBundleFile } from '../../../hub/signing/bundle-file.js';
import { canonicalJson, sha256Hex } from '../../../protocol/canonical.js';
import { CarriedError, packCarried, readCarried } from '../../../protocol/carried.js';
import { topicsOf } from '../../../protocol/topics.js';
import { bundleFile, signatureOf, tarOf } from '../../support/bundle-files.js';
import { FLEET, RELEASE } from '../../support/fleet.js';
import { ACCEPTED, parsed, refused, same, type Outcome, type Target } from '../target.js';
import { wireVectors } from '../vectors.js';

async function tar(input: Buffer): Promise<Outcome> {
  const result = await readArchive(input);
  return result.ok ? ACCEPTED : refused(result.refusal.detail);
}

const good = bundleFile([RELEASE]);

/** The payload as input; all around it made anew, so that the reader of documents is reached. */
async function bundleArchive(payload: Buffer): Promise<Outcome> {
  const file = {
    ...{ payload, digest: sha256Hex(payload), blobs: good.blobs },
    signatures: [signatureOf(payload, RELEASE)],
  };
  const packed = await packBundleFile(file);
  const result = await readBundleFile(packed);
  if (!result.ok) return parsed(result.refusal.detail);
  same('a bundle file', (await packBundleFile(result.value)).equals(packed), true);
  same('its document', canonicalJson(result.value.document), payload.toString());
  return ACCEPTED;
}

async function inPieces(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of chunks) pieces.push(chunk);
  return Buffer.concat(pieces);
}

async function carried(input: Buffer): Promise<Outcome> {
  let messages = 0;
  try {
    for await (const entry of readCarried(Readable.from([input]))) {
      if (entry.is === 'message') messages += 1;
      if (entry.is === 'images') await inPieces(entry.bytes);
    }
  } catch (error) {
    if (error instanceof CarriedError)
      return messages > 0 ? parsed(error.message) : refused(error.message);
    throw error;
  }
  return messages > 0 ? ACCEPTED : parsed('');
}

const CONFIG = '{"architecture":"amd64"}';
const CONFIG_NAME = `blobs/sha256/${sha256Hex(CONFIG)}`;
const BOUND = [{ image: 'busybox:1', digests: [`sha256:${sha256Hex(CONFIG)}`] }];
const IMAGES = {
  list: [{ Config: CONFIG_NAME, RepoTags: ['busybox:1'], Layers: [] }],
  index: {
    manifests: [{ annotations: { 'io.containerd.image.name': 'docker.io/library/busybox:1' } }],
  },
};

function memberOf(value: unknown, key: string): string {
  const found = (value as Record<string, unknown> | null)?.[key];
  return found === undefined ? '' : JSON.stringify(found);
}

/** The two lists as input, in an archive with one good configuration. */
async function images(input: Buffer): Promise<Outcome> {
  let value: unknown;
  try {
    value = JSON.parse(input.toString());
  } catch {
    return refused('');
  }
  const archive = await tarOf([
    { name: 'manifest.json', content: memberOf(value, 'list') },
    { name: 'index.json', content: memberOf(value, 'index') },
    { name: CONFIG_NAME, content: CONFIG },
  ]);
  const why = await whyNotLoad(Readable.from([archive]), BOUND);
  return why === null ? ACCEPTED : parsed(why);
}

/** A tar, packed and laid on the disk as a backup would lie there. */
function backups(): (input: Buffer) => Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-fuzz-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'backup.tar.gz');
  return async input => {
    writeFileSync(file, gzipSync(input, { level: 1 }));
    try {
      await readBackup(file, {}, async (_file, content) => void (await inPieces(content)));
      return ACCEPTED;
    } catch (error) {
      if (error instanceof SetupError) return refused(error.message);
      throw error;
    }
  };
}

async function backupSeed(): Promise<Buffer> {
  const content = 'listen: :8443';
  const description = formatDescription({
    ...{ kind: 'full', madeAt: '2026-01-01T00:00:00.000Z', program: '0.1.0', fleet: FLEET },
    ...{ rootVersion: 1 },
    files: [{ path: 'hub.yaml', size: content.length, sha256: sha256Hex(content) }],
  });
  return tarOf([
    { name: 'backup.json', content: description },
    { name: 'hub.yaml', content },
  ]);
}

export async function targets(): Promise<Target[]> {
  const topics = topicsOf(FLEET);
  const root = Buffer.from(wireVectors().find(({ kind }) => kind === 'root')?.envelope ?? '');
  const messages = [{ topic: topics.root(1), payload: root }];
  const file = await inPieces(packCarried(topics, { fleet: FLEET, messages }));
  const mark = await tarOf([{ name: 'flotilla-archive', content: '1\n' }]);
  const packed = await packBundleFile(good);
  return [
    { name: 'file/tar', form: 'bytes', seeds: [packed, mark], share: 0.05, run: tar },
    {
      name: 'file/bundle',
      form: 'canonical',
      seeds: [good.payload],
      share: 0.2,
      run: bundleArchive,
    },
    { name: 'file/carried', form: 'bytes', seeds: [file], share: 0.2, run: carried },
    {
      ...{ name: 'file/images', form: 'json', share: 0.2, run: images },
      seeds: [Buffer.from(JSON.stringify(IMAGES))],
    },
    {
      name: 'file/backup',
      form: 'bytes',
      seeds: [await backupSeed()],
      share: 0.05,
      run: backups(),
    },
  ];
}
