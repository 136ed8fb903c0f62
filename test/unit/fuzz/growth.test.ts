/**
 * Every parser takes time in proportion to its input. Pieces of good inputs, and what expressions stumble over, are repeated to
 * 32 KiB; whatever takes long is run at 4 KiB too, and only the ratio of the two decides: 8 for a linear one, 64 for a quadratic.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seededRandom, type Random } from '../../fuzz/random.js';
import type { Target } from '../../fuzz/target.js';
import { MODULES } from '../../fuzz/targets.js';
import { corpusOf } from '../../fuzz/vectors.js';

const LARGE = 32 * 1024;
const SMALL = LARGE / 8;
/** What takes less, of the processor, is not measured again. */
const SLOW_MS = 80;
/** Nearer to 64 than to 8; the least of several runs are compared, several times. */
const RATIO_MAX = 28;
const RUNS = 5;
const ROUNDS = 3;
const CUTS = 6;

/** A good input up to somewhere, a piece again and again, and the rest of it or what no rule takes. */
interface Shape {
  readonly head: Buffer;
  readonly piece: Buffer;
  readonly tail: Buffer;
}

const PIECES = [
  ...['a', '0', ' ', '\t', '\n', '\r', '.', '-', '/', '=', ':', ',', '"', "'", '\\', '*', '%', '#'],
  ...[
    '[',
    '{',
    ']}\n',
    '- ',
    'a: ',
    '{"a":',
    '[{},',
    'a.',
    'a/',
    'a=b,',
    '&a ',
    '\0',
    '\xff',
    '=\n',
  ],
].map(text => Buffer.from(text, 'latin1'));

function textOf({ head, piece, tail }: Shape, size: number): Buffer {
  return Buffer.concat([head, Buffer.alloc(size, piece), tail]);
}

/** Some of each target's pieces at places of its seeds, others at their beginning. */
function shapesOf(seeds: readonly Uint8Array[], random: Random): Shape[] {
  const inputs = seeds.map(seed => Buffer.from(seed)).filter(({ length }) => length < SMALL);
  const some = inputs.length === 0 ? [Buffer.alloc(0)] : inputs;
  const nothing = Buffer.from('\u0001');
  const cuts = Array.from({ length: CUTS }, () => {
    const seed = random.pick(some);
    const at = random.below(seed.length + 1);
    const length = 1 + random.below(16);
    const piece = seed.subarray(at, at + length);
    return { head: seed.subarray(0, at), piece, tail: seed.subarray(at + length) };
  });
  const pumps = PIECES.flatMap(piece => {
    const seed = random.pick(some);
    const at = random.below(seed.length + 1);
    return [
      { head: seed.subarray(0, at), piece, tail: seed.subarray(at) },
      { head: Buffer.alloc(0), piece, tail: nothing },
    ];
  });
  return [...cuts, ...pumps].filter(({ piece }) => piece.length > 0);
}

async function timeMs(target: Target, input: Buffer): Promise<number> {
  const copy = Buffer.from(input);
  const begin = process.cpuUsage();
  await target.run(copy);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1000;
}

async function leastMs(target: Target, input: Buffer): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) least = Math.min(least, await timeMs(target, input));
  return least;
}

/** Null for one that grows as it may: what one long run shows already, more of them would not take back. */
async function growth(target: Target, shape: Shape, slowMs = SLOW_MS): Promise<string | null> {
  let ratio = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const small = await leastMs(target, textOf(shape, SMALL));
    ratio = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run += 1) {
      const large = await timeMs(target, textOf(shape, LARGE));
      ratio = Math.min(ratio, large / small);
      if (large < slowMs || ratio < RATIO_MAX) return null;
    }
  }
  const text = JSON.stringify(shape.piece.toString('latin1'));
  return `${target.name}: ${text} behind ${shape.head.length} bytes: ${ratio.toFixed(0)} times the time for 8 times the bytes`;
}

describe('no parser takes more than its share of time for a longer input', async () => {
  const targets: Target[] = [];
  // Over sockets most of the time is not the parser's.
  for (const url of MODULES.filter(one => !one.endsWith('/http.js'))) {
    const module = (await import(url)) as { targets: () => Target[] | Promise<Target[]> };
    targets.push(...(await module.targets()));
  }
  for (const target of targets) {
    test(target.name, async () => {
      const random = seededRandom(5, target.name);
      const found: string[] = [];
      for (const shape of shapesOf([...target.seeds, ...corpusOf(target.name)], random)) {
        if ((await timeMs(target, textOf(shape, LARGE))) < SLOW_MS) continue;
        const told = await growth(target, shape);
        if (told !== null) found.push(told);
      }
      assert.deepEqual(found, []);
    });
  }

  test('a quadratic one would be seen', async () => {
    const target = {
      name: 'quadratic',
      form: 'text',
      seeds: [],
      run: (input: Buffer) => {
        const message = String(/(\w+)!/.test(input.toString().slice(0, input.length / 3)));
        return { stage: 'refused', message } as const;
      },
    } satisfies Target;
    const shape = { head: Buffer.alloc(0), piece: Buffer.from('a'), tail: Buffer.alloc(0) };
    // However fast this machine is.
    const told = await growth(target, shape, 5);
    assert.match(told ?? '', /^quadratic: "a" behind 0 bytes: \d+ times/);
  });
});
