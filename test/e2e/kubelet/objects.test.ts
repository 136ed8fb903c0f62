/** ConfigMaps and Secrets beside the pods, as somebody who edits them meets them (P12): two of one name, immutable ones. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BlackBox, container, FOREVER, pod } from '../../support/black-box.js';
import { noEngine } from '../../support/docker.js';
import { eventually } from '../../support/wait.js';

const configMap = (name: string, value: string, more: Record<string, unknown> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { key: value },
  ...more,
});

const mounting = (name: string, map: string) =>
  pod(name, [container('app', FOREVER, { volumeMounts: [{ name: 'c', mountPath: '/c' }] })], {
    volumes: [{ name: 'c', configMap: { name: map } }],
  });

describe('ConfigMaps and Secrets, black box', { skip: noEngine() }, () => {
  const box = new BlackBox();
  before(async () => {
    await box.start();
  });
  after(() => box.close());

  test('P12: of two ConfigMaps of one name the one in force stays, over a restart of the agent too, and the other is told', async () => {
    const inConflict = async () => (await box.conditions('ObjectConflict')).length === 1;
    const seen = () => box.exec('reader', 'app', 'cat', '/c/key');
    box.put('z.yaml', configMap('conf', 'z'));
    box.put('reader.yaml', mounting('reader', 'conf'));
    await box.ready('reader');
    box.put('a.yaml', configMap('conf', 'a'));
    await eventually('a conflict', inConflict);
    await box.restart();
    await box.ready('reader');
    await eventually('a conflict again', inConflict);
    const told = /^a\.yaml: the ConfigMap default\/conf is already given by z\.yaml/;
    assert.match((await box.conditions('ObjectConflict'))[0] ?? '', told);
    assert.match(box.log(), /two documents of one name/);
    // What is newer than the restart reached the files: so would the other document have.
    box.put('z.yaml', configMap('conf', 'z2'));
    await eventually('the edit is there', () => seen() === 'z2');
    box.remove('z.yaml');
    await eventually('the other one takes over', () => seen() === 'a');
    assert.deepEqual(await box.conditions('ObjectConflict'), []);
    box.remove('a.yaml');
    box.remove('reader.yaml');
    await box.gone('reader');
  });

  test('P12: the data of an immutable ConfigMap is not changed by an edit, which is refused by name; made anew it may be', async () => {
    const seen = () => box.exec('fixed', 'app', 'cat', '/c/key');
    box.put('map.yaml', configMap('fixed', 'one', { immutable: true }));
    box.put('fixed.yaml', mounting('fixed', 'fixed'));
    await box.ready('fixed');
    const { Id } = box.running('fixed', 'app');
    const refused = async () =>
      (await box.conditions('ManifestRefused')).some(one =>
        one.startsWith('map.yaml: the ConfigMap default/fixed is immutable'),
      );
    box.put('map.yaml', configMap('fixed', 'two', { immutable: true }));
    await eventually('the edit is refused', refused);
    const events = await box.events('FailedValidation');
    assert.ok(events.some(({ message = '' }) => message.includes('default/fixed is immutable')));
    await box.restart();
    await eventually('it is refused still', refused);
    box.put('other.yaml', configMap('other', 'sign'));
    box.put('sign.yaml', mounting('sign', 'other'));
    await box.ready('sign');
    assert.equal(seen(), 'one');
    box.remove('map.yaml');
    await eventually('gone', async () => !(await refused()));
    box.put('map.yaml', configMap('fixed', 'two', { immutable: true }));
    await eventually('the new one is followed', () => seen() === 'two');
    assert.equal(box.running('fixed', 'app').Id, Id, 'nothing was restarted');
  });
});
