/** What a node uses of its link, told by agent and hub as processes, and counted beside them by the cable between the two. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { AgentStatus } from '../../agent/agent-status.js';
import type { UsageReport } from '../../protocol/documents/node.js';
import { Delivered } from '../bench/delivered.js';
import { eventually } from '../support/wait.js';

const NODE = 'edge-1';

describe('what a node uses of its link', () => {
  const world = new Delivered();
  const { play } = world;

  before(async () => {
    await world.start();
    world.pods(3, n => `word ${n}`);
    await world.apply();
    await world.quiet();
  });
  after(() => world.close());

  const told = async () => {
    const { stdout } = await play.agent('status', '--data-dir', play.path(NODE), '-o', 'json');
    const { usage } = JSON.parse(stdout) as AgentStatus;
    assert.ok(usage);
    return usage.bytes;
  };
  const crossed = async () => {
    const { in: inward, out } = await told();
    return (inward?.[2] ?? 0) + (out?.[2] ?? 0);
  };

  test('is what crossed the cable, to the byte, over connections', async () => {
    assert.equal(await crossed(), world.cable.bytes());
    const before = world.cable.bytes();
    world.cable.pull();
    world.cable.mend();
    await eventually('it is connected again', async () => {
      const { stdout } = await play.agent('status', '--data-dir', play.path(NODE));
      return / connected to a broker$/m.test(stdout) && world.cable.bytes() > before;
    });
    await world.quiet();
    // What the cut took on its way was sent and did not arrive, or the other way round.
    const gap = Math.abs((await crossed()) - world.cable.bytes());
    assert.ok(gap <= 64, `${gap} bytes`);
  });

  test('by kind: what was assigned, its content, what was said of it', async () => {
    const bytes = await told();
    for (const kind of ['assignments', 'content', 'status', 'acks', 'presence', 'requests']) {
      assert.ok((bytes[kind as keyof typeof bytes]?.[0] ?? 0) > 0, kind);
    }
    const { stdout } = await play.agent('status', '--data-dir', play.path(NODE));
    assert.match(stdout, /^Usage:$/m);
    assert.match(stdout, /^ {4}Content +[\d.]+ KiB/m);
  });

  test('is kept over a restart, and told at the hub', async () => {
    const before = await told();
    await play.kill(NODE, 'SIGTERM');
    play.startAgent(NODE, '--runtime', 'none');
    await eventually('the hub shows it', async () => {
      const { status } = await play.json<{ status: { flotilla: { usage?: UsageReport } } }>(
        ...(['get', 'node', NODE] as const),
      );
      const { kib = {} } = status.flotilla.usage ?? {};
      return (kib['out']?.[0] ?? 0) * 1024 >= (before.out?.[0] ?? 0);
    });
    const text = await play.ok('describe', 'node', NODE);
    assert.match(
      text,
      /^Usage:\n +Today +This month +Since \d{4}-\d\d-\d\d\n {2}Link +[\d.]+ KiB/m,
    );
    assert.match(text, /^ {4}TLS, keep-alive +[\d.]+ KiB/m);
    const after = await told();
    assert.ok((after.content?.[2] ?? 0) >= (before.content?.[2] ?? 1));
  });

  test('a budget of the hub reaches it; used up, it is said and felt, and content comes all the same', async () => {
    const refused = await play.flotilla('node', 'budget', NODE, '--link', '20MB');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--link 20MB: not bytes per month, such as 20Mi or 20Mi\/month/);
    assert.equal((await play.flotilla('node', 'budget', 'nobody')).code, 2);

    const small = await play.flotilla('node', 'budget', NODE, '--link', '20');
    assert.equal(small.code, 2);
    assert.match(small.stderr, /--link 20: less than 64Ki a month: did you mean 20Mi\?/);

    // Nothing that a compression makes smaller: more than the least budget goes over the link.
    for (const n of [0, 2]) world.pod(n, randomBytes(40_000).toString('base64'));
    await world.apply();
    await world.quiet();
    const said = await play.ok('node', 'budget', NODE, '--link', '64Ki/month', '--writes', '1Gi');
    assert.equal(said, `node/${NODE}: link 64Ki/month, writes 1Gi/day\n`);
    assert.equal(await play.ok('node', 'budget', NODE), said);
    await eventually('the hub shows that it is used up', async () => {
      const text = await play.ok('describe', 'node', NODE);
      return (
        /LinkBudgetLow +True +\S+ +BudgetExceeded +all of 64.0 KiB a month is used/.test(text) &&
        /^Link budget: [\d.]+ KiB of 64.0 KiB used this month \(\d+ %\), [\d.]+ \wiB expected$/m.test(
          text,
        ) &&
        /flotilla.dev\/link-budget=64Ki\/month/.test(text)
      );
    });

    await world.quiet();
    const file = () => {
      const dir = world.dataDir('manifests');
      const texts = readdirSync(dir).map(name => readFileSync(join(dir, name), 'utf8'));
      return texts.some(text => text.includes('in spite of it'));
    };
    world.pod(1, 'in spite of it');
    const apply = await play.flotilla('apply', '-f', play.path('bench'), '--all-nodes');
    assert.equal(apply.code, 0, apply.stderr);
    await eventually('the content came', file);
    await world.quiet();
    const isTold = async () => {
      const text = await play.ok('describe', 'node', NODE);
      return /^ {2}default\/bench +3 +this /m.test(text);
    };
    assert.equal(await isTold(), false, 'what became of it waits');
    const lifted = await play.ok('node', 'budget', NODE, '--link', 'none');
    assert.equal(lifted, `node/${NODE}: writes 1Gi/day\n`);
    await eventually('it is told', isTold);
  });
});
