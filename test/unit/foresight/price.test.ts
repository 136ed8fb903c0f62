/** What a change costs a node, from what is known: a table, and how people are told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { priceLines, nodePriceLines } from '../../../hub/cli/price-text.js';
import { priceOf, type NodeNow, type NodePrice } from '../../../hub/foresight/price.js';
import type { ImageSizes, PeerImages } from '../../../hub/foresight/images.js';
import type { BundleManifest } from '../../../protocol/bundle-manifest.js';
import type { HoldingsReport } from '../../../protocol/documents/node.js';
import type { PodSet } from '../../../protocol/pod-change.js';

const MIB = 1024 * 1024;
const pod = (name: string, image: string, more: object = {}): BundleManifest => ({
  ...{ apiVersion: 'v1' as const, kind: 'Pod' as const, metadata: { name, namespace: 'default' } },
  spec: { containers: [{ name: 'app', image, ...more }] },
});
const web = (image: string, more: object = {}): PodSet => ({
  manifests: [pod('web', image, more)],
});
const held = (...names: string[]): HoldingsReport => ({
  ...{ dataFree: 900 * MIB, imagesFree: 500 * MIB, isCut: false },
  images: names.map(name => ({ id: `sha256:${name}`, names: [name], size: 70 * MIB })),
});

const NODE: NodeNow = {
  ...{ node: 'edge-1', isOnline: true, architecture: 'amd64', from: 1 },
  ...{ before: web('web:1'), after: web('web:2'), restartS: 4 },
  ...{ holds: held('web:1'), mqttBytes: 2000, contentBytes: MIB },
};
const SIZES: ImageSizes = new Map([['web:2', new Map([['amd64', 30 * MIB]])]]);
const PEERS: PeerImages = new Map([['amd64', held('web:2').images ?? []]]);

function told(change: Partial<NodeNow>, known: { sizes?: ImageSizes; peers?: PeerImages } = {}) {
  return priceOf({ ...NODE, ...change }, { sizes: SIZES, peers: PEERS, ...known });
}

const sentence = (price: NodePrice) => nodePriceLines(price)[0];

describe('the price of a change for one node', () => {
  const table: readonly [string, NodePrice, string][] = [
    [
      'an image that it lacks is fetched as the registry has it, and lies unpacked as its peers say',
      told({}),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, 30.0 MiB from registries, 428 MiB free after',
    ],
    [
      'what nobody measured is unknown',
      told({ restartS: null }, { sizes: new Map() }),
      'edge-1: web/app restarts (for how long is unknown), 2.0 KiB over MQTT, unknown from registries, 428 MiB free after',
    ],
    [
      'an image that it has costs nothing',
      told({ holds: held('web:1', 'docker.io/library/web:2') }),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, 0 B from registries, 498 MiB free after',
    ],
    [
      'a node that does not say what it holds: nobody knows what it has to fetch',
      told({ holds: null }),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, unknown from registries, disk after unknown',
    ],
    [
      'where more images are held than are told, one that is not listed may be there',
      told({ holds: { ...held('web:1'), isCut: true } }),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, unknown from registries, disk after unknown',
    ],
    [
      'what it runs already is there, whoever says so',
      told({ after: web('web:1', { args: ['x'] }), holds: null }),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, 0 B from registries, disk after unknown',
    ],
    [
      'pull policy Always: a registry is asked, and what it answers nobody knows',
      told({ after: web('web:1', { imagePullPolicy: 'Always' }) }),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, unknown from registries, disk after unknown',
    ],
    [
      'what stays asks no registry, and is not down',
      told({ after: NODE.before as PodSet, restartS: null, mqttBytes: 0, contentBytes: 0 }),
      'edge-1: no pod restarts, 0 B over MQTT, 0 B from registries, 500 MiB free after',
    ],
    [
      'a new node starts everything: nothing that runs is down',
      told({ before: null, restartS: null, isOnline: false }),
      'edge-1: web starts (away), 2.0 KiB over MQTT, 30.0 MiB from registries, 428 MiB free after',
    ],
    [
      'a node that is no longer selected lets it go',
      told({ after: null, contentBytes: 0 }),
      'edge-1: web stops, 2.0 KiB over MQTT, 0 B from registries, 500 MiB free after',
    ],
    [
      'a revision that this hub does not have',
      told({ before: 'unknown', from: null, mqttBytes: null, contentBytes: null }),
      'edge-1: what runs there is unknown, unknown over MQTT, 30.0 MiB from registries, disk after unknown',
    ],
    [
      'an image that is bound to a digest is that digest, whatever it is called',
      told({
        after: { ...web('web:1'), bindings: new Map([['web:1', ['sha256:b']]]) },
        holds: { ...held('web:1'), images: [{ id: 'sha256:b', names: ['other:1'], size: 1 }] },
      }),
      'edge-1: web/app restarts (about 4s), 2.0 KiB over MQTT, 0 B from registries, 498 MiB free after',
    ],
  ];
  for (const [name, price, expected] of table) {
    test(name, () => assert.equal(sentence(price), expected));
  }
});

describe('the price of a change for many', () => {
  const fleet = (count: number, change: (at: number) => Partial<NodeNow> = () => ({})) =>
    Array.from({ length: count }, (_, at) => told({ node: `edge-${at}`, ...change(at) }));

  test('nodes that are alike are one line, with the range of what differs', () => {
    const prices = fleet(18, at => ({ restartS: at === 0 ? 9 : 4, isOnline: at > 1 }));
    assert.deepEqual(priceLines(prices), [
      '18 nodes: web/app restarts (about 4s to 9s) (2 away), 2.0 KiB each over MQTT, 30.0 MiB each from registries, at least 428 MiB free after',
    ]);
  });

  test('nodes that differ are told apart, the larger group first, with a total', () => {
    const prices = fleet(5, at => (at === 0 ? { before: null, restartS: null } : {}));
    assert.deepEqual(priceLines(prices), [
      '4 nodes: web/app restarts (about 4s), 2.0 KiB each over MQTT, 30.0 MiB each from registries, at least 428 MiB free after',
      'edge-0: web starts, 2.0 KiB over MQTT, 30.0 MiB from registries, 428 MiB free after',
      'in all 5 nodes: 4 pods restart, 9.8 KiB over MQTT, 150 MiB from registries',
    ]);
  });

  test('what is unknown on some is said as that, and makes the total unknown', () => {
    const prices = fleet(3, at => (at === 0 ? { mqttBytes: null, restartS: null } : {}));
    assert.match(
      priceLines(prices).join('\n'),
      /about 4s; unknown on 1 node\), 2\.0 KiB each \(unknown on 1 node\) over MQTT/,
    );
  });

  test('nobody is concerned: nothing is said', () => assert.deepEqual(priceLines([]), []));
});
