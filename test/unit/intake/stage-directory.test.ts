/** What others did to the static pod directory is mended and told, and no stranger is explained or removed. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { canonicalJson } from '../../../protocol/canonical.js';
import { ownedFileName } from '../../../protocol/names.js';
import { rootDocument } from '../../support/fleet.js';
import { made, StageWorld } from '../../support/stage-world.js';

let world: StageWorld;

beforeEach(() => {
  world = new StageWorld();
});
afterEach(() => world.close());

describe('the directory', () => {
  const own = ownedFileName({ namespace: 'default', name: 'shop' }, 'web');

  const damages: [string, () => void][] = [
    ['an edited file', () => fs.appendFileSync(join(world.manifests, own), ' ')],
    ['a removed file', () => fs.rmSync(join(world.manifests, own))],
    [
      'a file that became a link',
      () => {
        fs.rmSync(join(world.manifests, own));
        fs.symlinkSync('/etc/passwd', join(world.manifests, own));
      },
    ],
  ];
  for (const [what, damage] of damages) {
    test(`${what} is restored at the next start and on demand`, () => {
      world.activate('shop', 'web');
      const good = fs.readFileSync(join(world.manifests, own));
      for (const look of [
        () => (world.stage = world.makeStage()),
        () => world.stage.distrustDirectory(),
      ]) {
        damage();
        look();
        world.pass();
        assert.deepEqual(fs.readFileSync(join(world.manifests, own)), good);
        assert.equal(world.stage.explains(own, good), true);
      }
    });
  }

  const hands: [string, () => void, RegExp][] = [
    [
      'deleted',
      () => fs.rmSync(join(world.manifests, own)),
      /was deleted on this node, and is put back/,
    ],
    ['edited', () => fs.appendFileSync(join(world.manifests, own), ' '), /was edited on this node/],
    [
      'replaced',
      () => (fs.rmSync(join(world.manifests, own)), fs.mkdirSync(join(world.manifests, own))),
      /folder/,
    ],
  ];
  for (const [what, damage, message] of hands) {
    test(`a file that somebody ${what} is put back, and an event says which, what, and how to change it`, () => {
      world.activate('shop', 'web');
      const said = world.journal.recentEvents().length;
      damage();
      world.stage.distrustDirectory();
      world.pass();
      const [event, ...more] = world.journal.recentEvents().slice(said);
      assert.equal(event?.reason, 'FileRestored');
      assert.equal(event.involved.name, 'shop');
      assert.ok(event.message.startsWith(own));
      assert.match(event.message, message);
      assert.match(event.message, /flotilla apply -f it --bundle shop -n default/);
      assert.deepEqual(more, []);
    });
  }

  test('what the agent itself was about to write when it was cut off is nobody’s edit', () => {
    world.activate('shop', 'web');
    fs.renameSync(join(world.manifests, own), join(world.manifests, `.${own}`));
    const said = world.journal.recentEvents().length;
    world.stage = world.makeStage();
    world.pass();
    assert.deepEqual(world.files(), [own]);
    assert.deepEqual(world.journal.recentEvents().slice(said), []);
  });

  test('a repair is logged when it is done, a fault once for as long as it lasts', () => {
    world.activate('shop', 'web');
    fs.appendFileSync(join(world.manifests, own), ' ');
    fs.chmodSync(world.manifests, 0o777);
    const lines: string[] = [];
    const log = {
      info: (text: string) => void lines.push(text),
      warn: (text: string) => void lines.push(text),
      error: () => undefined,
    };
    world.stage = world.makeStage({ log });
    for (let i = 0; i < 3; i++) world.pass();
    const fault = 'the static pod directory cannot be brought to what it should be';
    assert.deepEqual(lines, [fault]);
    fs.chmodSync(world.manifests, 0o755);
    for (let i = 0; i < 3; i++) world.pass();
    assert.deepEqual(lines, [fault, 'static pod directory repaired']);
  });

  test('a directory that becomes unsafe is said although nothing is to be written', () => {
    world.activate('shop', 'web');
    fs.chmodSync(world.manifests, 0o777);
    world.stage.distrustDirectory();
    world.pass();
    const [condition] = world.stage.conditions(rootDocument());
    assert.equal(condition?.reason, 'UnsafeDirectory');
    assert.match(condition.message, new RegExp(`chmod go-w ${world.manifests}`));
  });

  test('a file whose blob rotted is fetched again and restored', () => {
    const { document, pods } = world.activate('shop', 'web');
    fs.rmSync(join(world.manifests, own));
    world.journal.content.dropBlob(document.manifests[0]?.digest ?? '');
    world.stage = world.makeStage();
    assert.deepEqual(
      world.pass().map(({ digest }) => digest),
      [document.manifests[0]?.digest],
    );
    world.journal.content.storeBlob(
      document.manifests[0]?.digest ?? '',
      Buffer.from(canonicalJson(pods[0])),
    );
    world.pass();
    assert.deepEqual(world.files(), [own]);
  });

  test('a stranger under the prefix stays, is told, and is never explained (S57)', () => {
    world.activate('shop', 'web');
    const strange = 'flotilla_evil_00000000000000aa.json';
    fs.writeFileSync(join(world.manifests, strange), '{}');
    world.stage.distrustDirectory();
    world.pass();
    assert.deepEqual(world.files(), [strange, own].sort());
    assert.equal(world.stage.explains(strange, Buffer.from('{}')), false);
    assert.equal(world.stage.conditions(rootDocument())[0]?.type, 'UnexplainedFiles');
  });

  const loseJournal = (prefix: string) => {
    world.journal.close();
    for (const file of fs.readdirSync(world.dataDir)) {
      if (file.startsWith(prefix)) fs.rmSync(join(world.dataDir, file));
    }
    world.journal = world.openJournal(100);
    world.stage = world.makeStage();
    world.pass();
  };

  test("S33: a lost journal's twin explains what runs, until a fresh assignment drops it", () => {
    world.activate('shop', 'web');
    const text = fs.readFileSync(join(world.manifests, own));
    loseJournal('journal.db');
    assert.deepEqual(fs.readFileSync(join(world.manifests, own)), text);
    assert.equal(world.stage.explains(own, text), true);
    assert.equal(world.stage.explains(own, Buffer.concat([text, Buffer.from(' ')])), 'altered');
    assert.deepEqual(world.stage.conditions(rootDocument()), []);
    world.assign([]);
    assert.deepEqual(world.files(), []);
  });

  test("S33: with the twin lost too, a former life's files begin nothing and end nothing, then go", () => {
    world.activate('shop', 'web');
    const text = fs.readFileSync(join(world.manifests, own));
    loseJournal('journal.');
    assert.deepEqual(fs.readFileSync(join(world.manifests, own)), text);
    assert.equal(world.stage.explains(own, text), 'forgotten');
    const [told] = world.stage.conditions(rootDocument());
    assert.deepEqual([told?.type, told?.reason], ['UnexplainedFiles', 'Forgotten']);
    world.stage.distrustDirectory();
    world.assign([]);
    assert.deepEqual(world.files(), []);
  });

  test('a bundle that is assigned anew keeps the file of its former life until its content is here', () => {
    const { document, pods } = world.activate('shop', 'web');
    const text = fs.readFileSync(join(world.manifests, own));
    loseJournal('journal.');
    world.stage.distrustDirectory();
    world.assign([document]);
    assert.deepEqual(fs.readFileSync(join(world.manifests, own)), text);
    assert.equal(world.stage.explains(own, text), 'forgotten');
    world.store(document, pods);
    world.pass();
    assert.equal(world.stage.explains(own, text), true);
    assert.deepEqual(world.stage.conditions(rootDocument()), []);
  });

  test('that others may write to gets nothing; the bundle waits until it is mended (S55)', () => {
    fs.chmodSync(world.manifests, 0o777);
    const { document, pods } = made('shop', 'web');
    world.store(document, pods);
    world.assign([document]);
    assert.deepEqual([world.states(), world.files()], [['shop waiting UnsafeDirectory'], []]);
    assert.equal(world.stage.needsRetry(), true);
    assert.equal(world.stage.conditions(rootDocument())[0]?.reason, 'UnsafeDirectory');
    fs.chmodSync(world.manifests, 0o755);
    world.pass();
    assert.deepEqual([world.states(), world.files()], [['shop activating FilesWritten'], [own]]);
    assert.equal(world.stage.needsRetry(), false);
  });
});
