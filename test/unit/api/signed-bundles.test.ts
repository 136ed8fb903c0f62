/** Uploading a bundle file: what is read, and what is refused before anything is decided about it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ARCHIVE_BYTES_MAX, ARCHIVE_TYPE } from '../../../hub/signing/archive.js';
import { packBundleFile } from '../../../hub/signing/bundle-file.js';
import { bundleFile } from '../../support/bundle-files.js';
import { RELEASE } from '../../support/fleet.js';
import { at, startFixture, type Fixture } from '../../support/api-server.js';

const PATH = '/apis/flotilla.dev/v1/namespaces/default/bundles';
const TAR = { 'content-type': ARCHIVE_TYPE };

describe('the upload of a bundle file', () => {
  let fixture: Fixture;
  let file: Buffer;
  before(async () => {
    fixture = await startFixture();
    file = await packBundleFile(bundleFile([RELEASE]));
  });
  after(() => fixture.close());
  const post = (path: string, body: Buffer, headers: Record<string, string> = TAR) =>
    fixture.call(`${PATH}${path}`, { method: 'POST', body, headers });

  const rows: readonly (readonly [
    string,
    string,
    () => Buffer,
    Record<string, string>,
    number,
    RegExp,
  ])[] = [
    ['another content type', '/shop/revisions', () => file, {}, 415, /application\/x-tar/],
    [
      'JSON',
      '/shop/revisions',
      () => Buffer.from('{}'),
      { 'content-type': 'application/json' },
      415,
      /only application\/x-tar/,
    ],
    ['no archive', '/shop/revisions', () => Buffer.from('hello'), TAR, 422, /not one of Flotilla/],
    ['nothing', '/shop/revisions', () => Buffer.alloc(0), TAR, 422, /not one of Flotilla/],
    ['half a file', '/shop/revisions', () => file.subarray(0, 2000), TAR, 422, /Malformed/],
    ['too large', '/shop/revisions', () => Buffer.alloc(ARCHIVE_BYTES_MAX + 1), TAR, 413, /larger/],
    ['another name', '/other/revisions', () => file, TAR, 400, /of bundle default\/shop/],
    ['a new bundle without nodes', '/shop/revisions', () => file, TAR, 422, /nodeSelector/],
    ['a dry run of half', '/shop/revisions?nodeSelector=&dryRun=x', () => file, TAR, 400, /dryRun/],
  ];
  for (const [what, path, body, headers, code, message] of rows) {
    test(`${what}: ${code}`, async () => {
      const reply = await post(path, body(), headers);
      assert.equal(reply.code, code, reply.text);
      assert.match(String(at(reply.body, 'message')), message);
    });
  }

  test('strangers may not', async () => {
    const reply = await fixture.call(`${PATH}/shop/revisions`, {
      ...{ method: 'POST', body: file, headers: TAR, client: null },
    });
    assert.equal(reply.code, 401);
  });

  test('a whole one becomes the bundle; it keeps its nodes until others are said', async () => {
    const made = await post('/shop/revisions?nodeSelector=site%3Da', file);
    assert.equal(made.code, 201, made.text);
    assert.equal(at(made.body, 'kind'), 'Bundle');
    assert.equal(at(made.body, 'spec.manifests.0.metadata.name'), 'web');
    const again = await post('/shop/revisions', file, { 'content-type': `${ARCHIVE_TYPE}; x=y` });
    assert.equal(at(again.body, 'spec.nodeSelector'), 'site=a', again.text);
    const stale = await post('/shop/revisions?resourceVersion=999', file);
    assert.equal(stale.code, 409, stale.text);
  });
});
