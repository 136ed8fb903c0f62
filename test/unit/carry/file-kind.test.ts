/** What somebody gave to `import` by mistake is told apart by its first bytes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { gzipSync } from 'node:zlib';
import { HEAD_BYTES, kindOfFile } from '../../../agent/carry/file-kind.js';

async function tarOf(name: string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name }, 'x');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).subarray(0, HEAD_BYTES);
}

const digest = 'ab'.repeat(32);
const rows: [string, () => Buffer | Promise<Buffer>, RegExp | null][] = [
  ['nothing', () => Buffer.alloc(0), /empty/],
  ['a bundle file', () => tarOf(`bundle/${digest}.json`), /bundle file.*flotilla apply/],
  ['an archive of docker save', () => tarOf('manifest.json'), /images: docker load/],
  ['an archive of docker save, OCI', () => tarOf('blobs/sha256/x'), /images: docker load/],
  ['another tar', () => tarOf('home/me'), /tar archive of something else/],
  ['gzip', () => gzipSync('x'), /gzip/],
  ['YAML of Kubernetes', () => Buffer.from('# mine\napiVersion: v1\nkind: Pod\n'), /manifest/],
  ['JSON of Kubernetes', () => Buffer.from('{"apiVersion":"v1","kind":"Pod"}'), /manifest/],
  ['a kubeconfig', () => Buffer.from('apiVersion: v1\nkind: Config\nclusters: []\n'), /kubeconfig/],
  [
    'a root',
    () => Buffer.from('{"payload":"eA==","payloadType":"application/vnd.flotilla.root.v1+json"}'),
    /one signed document/,
  ],
  ['a join line', () => Buffer.from(`https://h:8443 a.b sha256:${digest}\n`), /join --token-file/],
  ['a private key', () => Buffer.from('-----BEGIN PRIVATE KEY-----\nMC4'), /private key/],
  ['an encrypted file', () => Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\n'), /age/],
  ['a text', () => Buffer.from('hello'), null],
];

describe('a file that is not for carrying', () => {
  for (const [what, make, wanted] of rows) {
    test(what, async () => {
      const kind = kindOfFile(await make());
      if (wanted === null) assert.equal(kind, null);
      else assert.match(kind ?? '', wanted);
    });
  }
});
