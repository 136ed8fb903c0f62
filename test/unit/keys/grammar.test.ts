/** Small grammars of set-up: join lines, listen addresses, MQTT packet headers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBrokerUrl, parseEndpoint, formatEndpoint } from '../../../hub/setup/config.js';
import { formatJoinLine, parseHubUrl, parseJoinLine } from '../../../protocol/join-line.js';
import { PacketGuard } from '../../../protocol/packet-guard.js';

const LINE = {
  hubUrl: 'https://hub.example:8443',
  token: { id: '0123456789', secret: 'ab'.repeat(16) },
  fingerprint: 'cd'.repeat(32),
};

describe('join line', () => {
  const text = formatJoinLine(LINE);

  test('is read back, with comments and blank lines around it', () => {
    for (const file of [text, `${text}\n`, `# for edge-1\r\n\n  ${text}  \r\n`]) {
      assert.deepEqual(parseJoinLine(file), { ok: true, value: LINE });
    }
  });

  const refused: [string, string, RegExp][] = [
    ['nothing', '', /0 lines/],
    ['two lines', `${text}\n${text}`, /2 lines/],
    ['a field less', text.replace('https://hub.example:8443 ', ''), /2 fields/],
    ['plain http', text.replace('https', 'http'), /field 1/],
    ['a path in the URL', text.replace(':8443', ':8443/x'), /field 1/],
    ['a password in the URL', text.replace('//hub', '//a:b@hub'), /field 1/],
    ['a short secret', text.replace('abab', 'ab'), /field 2/],
    ['upper case', text.replace('abab', 'ABAB'), /field 2/],
    ['another hash', text.replace('sha256', 'sha512'), /field 3/],
    ['a short hash', text.slice(0, -1), /field 3/],
  ];
  for (const [sentence, line, message] of refused) {
    test(`refused: ${sentence}; the secret is not repeated`, () => {
      const read = parseJoinLine(line);
      assert.ok(!read.ok);
      assert.match(read.refusal.detail, message);
      assert.doesNotMatch(read.refusal.detail, /abab/i);
    });
  }

  test('a hub URL is an https origin', () => {
    assert.equal(parseHubUrl('https://[::1]:8443'), 'https://[::1]:8443');
    assert.equal(parseHubUrl('https://hub.example/'), 'https://hub.example');
    for (const no of ['', 'hub:8443', 'https://', 'https://h/?q', 'https://h/#f']) {
      assert.equal(parseHubUrl(no), null, no);
    }
  });
});

describe('listen address', () => {
  const good: [string, string | null, number][] = [
    [':8443', null, 8443],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['hub.example:65535', 'hub.example', 65535],
    ['[::1]:8443', '::1', 8443],
  ];
  for (const [text, host, port] of good) {
    test(`${text} is read and written`, () => {
      assert.deepEqual(parseEndpoint(text), { host, port });
      assert.equal(formatEndpoint({ host, port }), text);
    });
  }
  for (const text of ['', '8443', ':0', ':65536', '::1:8443', '[127.0.0.1]:1', 'a b:1', ':8443x']) {
    test(`"${text}" is refused`, () => assert.equal(parseEndpoint(text), null));
  }

  test('a broker URL gets its port; anything but mqtts is refused', () => {
    assert.equal(parseBrokerUrl('mqtts://b.example'), 'mqtts://b.example:8883');
    assert.equal(parseBrokerUrl('mqtts://[::1]:1883/'), 'mqtts://[::1]:1883');
    for (const no of ['mqtt://b', 'mqtts://u:p@b', 'mqtts://b/x', 'mqtts://', 'wss://b']) {
      assert.equal(parseBrokerUrl(no), null, no);
    }
  });
});

describe('packet guard', () => {
  /** A packet of `type` with `bytes` bytes after its fixed header. */
  function packet(type: number, bytes: number): Buffer {
    const head = [type];
    let rest = bytes;
    do {
      head.push((rest % 128) + (rest >= 128 ? 128 : 0));
      rest = Math.floor(rest / 128);
    } while (rest > 0);
    return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 0xff)]);
  }

  test('packets up to the limit pass, however the stream is cut', () => {
    const stream = Buffer.concat([0, 1, 127, 128, 1000, 0, 999].map(size => packet(0x30, size)));
    for (let cut = 1; cut < 300; cut++) {
      const guard = new PacketGuard(1000);
      for (let at = 0; at < stream.length; at += cut) {
        assert.ok(guard.admits(stream.subarray(at, at + cut)), `cut ${cut} at ${at}`);
      }
    }
  });

  test('one byte above the limit is refused with the last byte of its length', () => {
    const stream = Buffer.concat([packet(0xc0, 0), packet(0x30, 1001)]);
    const guard = new PacketGuard(1000);
    assert.ok(guard.admits(stream.subarray(0, 4)));
    assert.equal(guard.admits(stream.subarray(4, 5)), false);
  });

  test('what is on its way is known by its topic and its bytes, however the stream is cut', () => {
    const topic = 'flotilla/v1/x/blob/1';
    const body = Buffer.concat([
      Buffer.from([0, topic.length]),
      Buffer.from(topic),
      Buffer.alloc(9),
    ]);
    const stream = Buffer.concat([packet(0xd0, 0), Buffer.from([0x32, body.length]), body]);
    for (let cut = 1; cut < stream.length; cut++) {
      const guard = new PacketGuard(1000);
      for (let at = 0; at < stream.length - 1; at += cut) {
        guard.admits(stream.subarray(at, Math.min(at + cut, stream.length - 1)));
      }
      const length = body.length;
      assert.deepEqual(guard.onItsWay(), { length, received: length - 1, topic });
      guard.admits(stream.subarray(-1));
      assert.equal(guard.onItsWay(), null);
    }
  });

  test('a length of five bytes is refused', () => {
    const guard = new PacketGuard(2 ** 28);
    assert.equal(guard.admits(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01])), false);
  });
});
