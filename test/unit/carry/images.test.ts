/** What an archive of images may bring to a node: sentence → archive → why not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { whyNotLoad } from '../../../agent/carry/images.js';
import { sha256Hex } from '../../../protocol/canonical.js';

const CONFIG = JSON.stringify({ os: 'linux', rootfs: {} });
const OTHER = JSON.stringify({ os: 'linux', rootfs: { evil: true } });
const idOf = (config: string) => `sha256:${sha256Hex(config)}`;
const BOUND = [{ image: 'team/web:1', digests: ['sha256:' + '1'.repeat(64), idOf(CONFIG)] }];

type File = readonly [name: string, content: string, type?: 'file' | 'symlink'];

async function* archive(files: readonly File[]): AsyncGenerator<Buffer> {
  const tar = pack();
  for (const [name, content, type = 'file'] of files) {
    if (type === 'file') tar.entry({ name }, content);
    else tar.entry({ name, type, linkname: content });
  }
  tar.finalize();
  yield* tar as AsyncIterable<Buffer>;
}

const image = (names: readonly string[] | null, Config = 'a.json') => ({
  ...{ Config, RepoTags: names, Layers: ['layer.tar'] },
});
const manifest = (...images: object[]): File => ['manifest.json', JSON.stringify(images)];
const layer: File = ['layer.tar', 'x'.repeat(5000)];
const config: File = ['a.json', CONFIG];
const web = manifest(image(['team/web:1']));
const indexed = (name: string): File => [
  'index.json',
  JSON.stringify({ manifests: [{ annotations: { 'io.containerd.image.name': name } }] }),
];

const ROWS: readonly [string, readonly File[], RegExp | null][] = [
  ['what a bundle binds', [layer, config, web], null],
  [
    'the same under its full name',
    [layer, config, manifest(image(['docker.io/team/web:1']))],
    null,
  ],
  ['the same without a name', [layer, config, manifest(image(null))], null],
  ['with an index that says the same', [config, web, indexed('docker.io/team/web:1')], null],
  ['another name', [config, manifest(image(['nginx:1']))], /"nginx:1" is bound by no bundle/],
  [
    'a second name beside the bound one',
    [config, manifest(image(['team/web:1', 'nginx:1']))],
    /"nginx:1" is bound by no bundle/,
  ],
  ['other content under the name', [['a.json', OTHER], web], /bound to other content than sha256:/],
  ['unnamed content that nobody binds', [['a.json', OTHER], manifest(image(null))], /by no bundle/],
  [
    'a second image behind the bound one',
    [config, ['b.json', OTHER], manifest(image(['team/web:1']), image(['busybox'], 'b.json'))],
    /"busybox" is bound by no bundle/,
  ],
  ['two lists', [config, web, manifest(image(['nginx:1']))], /two entries .*manifest\.json/],
  ['a list behind a dot', [config, web, ['./manifest.json', '[]']], /an entry of it is named/],
  [
    'an entry that leads out',
    [config, web, ['../../etc/cron.d/x', 'x']],
    /an entry of it is named/,
  ],
  ['a list that is a link', [config, ['manifest.json', 'a.json', 'symlink']], /no manifest\.json/],
  ['a configuration that is a link', [['a.json', '/x', 'symlink'], web], /no configuration/],
  ['an index that names another', [config, web, indexed('nginx:1')], /"nginx:1" is bound by no/],
  ['an index that is none', [config, web, ['index.json', '{']], /index cannot be read/],
  [
    'an index of nothing',
    [config, web, ['index.json', '{"manifests":[null]}']],
    /index cannot be read/,
  ],
  [
    'an index whose names are a list',
    [config, web, ['index.json', '{"manifests":[{"annotations":["x"]}]}']],
    /index cannot be read/,
  ],
  [
    'an index without names',
    [config, web, ['index.json', '{"manifests":[{"annotations":null}]}']],
    null,
  ],
  ['a list of nothing', [config, ['manifest.json', '[null]']], /has no configuration/],
  ['a list of texts', [config, ['manifest.json', '["a.json"]']], /has no configuration/],
  ['no list', [config, layer], /no manifest\.json/],
  ['an empty list', [config, manifest()], /no manifest\.json/],
  ['a list that is no JSON', [config, ['manifest.json', '[']], /no manifest\.json/],
];

describe('images that are carried', () => {
  for (const [sentence, files, why] of ROWS) {
    test(`${sentence}: ${why === null ? 'taken' : 'refused'}`, async () => {
      const told = await whyNotLoad(archive(files), BOUND);
      if (why === null) assert.equal(told, null);
      else assert.match(told ?? 'taken', why);
    });
  }

  test('an archive that ends between two of its entries is refused', async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of archive([config, web])) chunks.push(chunk);
    const cut = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.concat(chunks).subarray(0, -1024);
    };
    assert.equal(await whyNotLoad(cut(), BOUND), 'it is cut off');
  });

  test('nothing is taken where no bundle binds anything', async () => {
    assert.match((await whyNotLoad(archive([layer, config, web]), [])) ?? '', /by no bundle/);
  });
});
