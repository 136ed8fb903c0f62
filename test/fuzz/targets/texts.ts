/** Short texts with a grammar: what people write on command lines, in query strings, in Pods and in policies. */
import { isDeepStrictEqual } from 'node:util';
import { HttpError } from '../../../agent/api/http-error.js';
import { logOptionsOf } from '../../../agent/api/log-target.js';
import { imageMatches, parseImagePattern } from '../../../agent/admission/images.js';
import { EnvFileError, envFileValue } from '../../../agent/pods/env-file.js';
import { parseResolvConf } from '../../../agent/pods/resolv-conf.js';
import { proxyFor, proxyVariables } from '../../../agent/sources/proxy-choice.js';
import { negotiate } from '../../../hub/api/negotiate.js';
import { parseResourceVersion } from '../../../hub/api/resource-version.js';
import { parseDeleteOptions } from '../../../hub/api/write-options.js';
import { locationOf } from '../../../hub/registry/pin.js';
import { RequestError } from '../../../hub/ports.js';
import {
  matches,
  parseFieldSelector,
  parseSelector,
  SelectorError,
} from '../../../hub/selectors.js';
import { formatEndpoint, parseBrokerUrl, parseEndpoint } from '../../../hub/setup/config.js';
import { parsePublicKey, publicKeyLine } from '../../../hub/signing/public-key.js';
import { formatDuration, parseDurationMs } from '../../../protocol/duration.js';
import { formatJoinLine, parseJoinLine } from '../../../protocol/join-line.js';
import { completeImageName, parseImageReference } from '../../../protocol/pod-image.js';
import { canonicalIp, isIpAddress } from '../../../protocol/ip-address.js';
import { compareQuantities, parseQuantity, QuantityError } from '../../../protocol/quantity.js';
import { topicsOf } from '../../../protocol/topics.js';
import { FLEET } from '../../support/fleet.js';
import {
  ACCEPTED,
  answering,
  BrokenPromise,
  refused,
  same,
  type Outcome,
  type Target,
} from '../target.js';

function quantity(text: string): Outcome {
  const nanos = parseQuantity(text);
  const again = `${nanos}n`.replace('-', '-');
  // A text of digits longer than the limit is no quantity.
  if (again.length <= 100 && parseQuantity(again) !== nanos) {
    throw new BrokenPromise('a quantity is another one in nano-units');
  }
  same('a quantity compared with itself', compareQuantities(text, text), 0);
  return ACCEPTED;
}

function duration(text: string): Outcome {
  const ms = parseDurationMs(text);
  if (ms === null) return refused('');
  if (!Number.isSafeInteger(ms) || ms < 0) throw new BrokenPromise(`a duration of ${ms} ms`);
  same('a duration written and read', parseDurationMs(formatDuration(ms)), ms);
  return ACCEPTED;
}

function image(text: string): Outcome {
  const reference = parseImageReference(text);
  if (reference === null) return refused('');
  const { name, tag, digest } = reference;
  const again = `${name}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
  same('an image reference', again, text);
  const complete = completeImageName(name);
  same('a name completed twice', completeImageName(complete), complete);
  if (parseImageReference(complete) === null && complete.length <= 255) {
    throw new BrokenPromise('the complete name is no reference');
  }
  locationOf(text);
  return ACCEPTED;
}

/** Pattern and image, divided by a blank. */
function imagePattern(text: string): Outcome {
  const [first = '', second = ''] = text.split(' ', 2);
  const pattern = parseImagePattern(first);
  if (pattern === null) return refused('');
  imageMatches(second.slice(0, 1024), pattern);
  if (
    !first.includes('*') &&
    parseImageReference(first) !== null &&
    !imageMatches(first, pattern)
  ) {
    throw new BrokenPromise('a pattern without stars does not match itself');
  }
  return ACCEPTED;
}

function selector(text: string): Outcome {
  const requirements = parseSelector(text);
  const labels = { a: 'b', 'site.example/x': '17', __proto__: 'no' };
  matches(requirements, labels);
  const written = requirements.map(({ key, operator, values }) => {
    if (operator === 'exists') return key;
    if (operator === 'absent') return `!${key}`;
    if (operator === 'greater' || operator === 'less') {
      return `${key}${operator === 'greater' ? '>' : '<'}${values[0]}`;
    }
    return `${key} ${operator} (${values.join(',')})`;
  });
  same('a selector written and read', parseSelector(written.join(',')), requirements);
  return ACCEPTED;
}

function fieldSelector(text: string): Outcome {
  const terms = parseFieldSelector(text);
  const escaped = (value: string) => value.replace(/[\\,=]/g, found => `\\${found}`);
  const written = terms.map(t => `${t.field}${t.equal ? '=' : '!='}${escaped(t.value)}`);
  same('a field selector written and read', parseFieldSelector(written.join(',')), terms);
  return ACCEPTED;
}

function joinLine(text: string): Outcome {
  const line = parseJoinLine(text);
  if (!line.ok) return refused(line.refusal.detail);
  const again = parseJoinLine(formatJoinLine(line.value));
  same('a join line written and read', again, line);
  return ACCEPTED;
}

function topic(text: string): Outcome {
  const topics = topicsOf(FLEET);
  const address = topics.parse(text);
  if (address === null) return refused('');
  let again = text;
  if (address.kind === 'blob' && 'digest' in address) again = topics.blob(address.digest);
  else if (address.kind === 'root' && 'version' in address) again = topics.root(address.version);
  else if ('node' in address) again = topics.node(address.node, address.kind, address.rest);
  same('a topic', again, text);
  return ACCEPTED;
}

function envFile(text: string): Outcome {
  const names = new Set(text.split('\n').map(line => line.trimStart().split('=', 1)[0] ?? ''));
  let found = 0;
  for (const name of [...names].slice(0, 8)) if (envFileValue(text, name) !== null) found += 1;
  return found > 0 ? ACCEPTED : refused('');
}

/** `HTTP_PROXY NO_PROXY url`. */
function proxy(text: string): Outcome {
  const [http = '', except = '', address = ''] = text.split(' ');
  if (!URL.canParse(address)) return refused('');
  const variables = proxyVariables({ HTTP_PROXY: http, HTTPS_PROXY: http, NO_PROXY: except });
  const choice = proxyFor(new URL(address), variables);
  if (choice.is === 'unusable' && choice.message.includes('@')) {
    throw new BrokenPromise('a message may hold the password of a proxy');
  }
  return ACCEPTED;
}

/** One query for all that the two APIs read of one. */
function query(text: string): Outcome {
  const search = new URLSearchParams(text);
  parseResourceVersion(search);
  negotiate(search.get('accept') ?? '', search);
  parseDeleteOptions(undefined, search);
  const options = logOptionsOf(search);
  if (options.sinceTime !== undefined && Number.isNaN(options.sinceTime.getTime())) {
    throw new BrokenPromise('a time that is none');
  }
  return ACCEPTED;
}

function endpoint(text: string): Outcome {
  const found = parseEndpoint(text);
  if (found !== null) same('an address', parseEndpoint(formatEndpoint(found)), found);
  const broker = parseBrokerUrl(text);
  if (broker !== null) same('the URL of a broker', parseBrokerUrl(broker), broker);
  return found === null && broker === null ? refused('') : ACCEPTED;
}

function publicKey(text: string): Outcome {
  const key = parsePublicKey(text);
  if (key === null) return refused('');
  same('a public key', parsePublicKey(publicKeyLine(key.publicKey, key.comment)), key);
  return ACCEPTED;
}

function ip(text: string): Outcome {
  if (!isIpAddress(text)) return refused('');
  const canonical = canonicalIp(text);
  if (!isIpAddress(canonical)) throw new BrokenPromise(`no address any more: ${canonical}`);
  same('an address made canonical twice', canonicalIp(canonical), canonical);
  return ACCEPTED;
}

function resolvConf(text: string): Outcome {
  const settings = parseResolvConf(text);
  return isDeepStrictEqual(settings, parseResolvConf('')) ? refused('') : ACCEPTED;
}

interface Row {
  readonly read: (text: string) => Outcome;
  readonly seeds: readonly string[];
  /** What it may throw. */
  readonly declared?: readonly (abstract new (...args: never[]) => Error)[];
}

const KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';

const ROWS: Readonly<Record<string, Row>> = {
  quantity: {
    read: quantity,
    seeds: ['500m', '64Mi', '1e3', '-1.5Gi', '0.1n', '9223372036854775807', '+2E', '.5', '1E-3'],
    declared: [QuantityError],
  },
  duration: { read: duration, seeds: ['20s', '1m30s', '500ms', '1.5h', '0', '2540400h10m10s'] },
  image: {
    read: image,
    seeds: [
      ...['busybox', 'docker.io/library/web:1.2', 'registry.example:5000/a/b__c-d:v1', '[::1]:5/a'],
      `localhost/x@sha256:${'a'.repeat(64)}`,
    ],
  },
  'image-pattern': {
    read: imagePattern,
    seeds: ['registry.example/* registry.example/a/b:1', 'busybox busybox', '*/team/web:1.* a:2'],
  },
  selector: {
    read: selector,
    seeds: ['a=b,c!=d', 'x in (a,b,),!y', 'site.example/z notin (q)', 'n>17,m<3', 'a==b , c'],
    declared: [SelectorError],
  },
  'field-selector': {
    read: fieldSelector,
    seeds: ['metadata.name=a', 'spec.nodeName!=b,status.phase==Running', 'a=b\\,c\\=d\\\\'],
    declared: [SelectorError],
  },
  'join-line': {
    read: joinLine,
    seeds: [
      `# a comment\nhttps://hub:8443 0123456789.${'a'.repeat(32)} sha256:${'b'.repeat(64)}\n`,
      `https://[::1]:8443/ 0123456789.${'a'.repeat(32)} sha256:${'b'.repeat(64)}`,
    ],
  },
  topic: {
    read: topic,
    seeds: [
      'hub',
      'root/12',
      `blob/${'a'.repeat(64)}`,
      'node/edge-1/status',
      'node/e/pod/0123',
    ].map(rest => topicsOf(FLEET).prefix + rest),
  },
  'env-file': {
    read: envFile,
    seeds: ["A='x'\n# c\n B='two\nlines'\r\nC='' # d", "export A='x'", "A= 'x'"],
    declared: [EnvFileError],
  },
  proxy: {
    read: proxy,
    seeds: [
      'http://u:p@proxy:3128 .example,10.0.0.0/8,[::1],*.a,b:80 http://x.example:80/',
      'socks5://p 2001:db8::/32 https://[2001:db8::1]/',
    ],
  },
  query: {
    read: query,
    seeds: [
      'resourceVersion=17&limit=3&includeObject=None&dryRun=All&tailLines=3&follow',
      'sinceTime=2026-01-01T00:00:00Z&limitBytes=1&accept=application/json;as=Table;v=v1;g=meta.k8s.io',
      'tail=all&sinceSeconds=5&timestamps=false',
    ],
    declared: [RequestError, HttpError],
  },
  endpoint: {
    read: endpoint,
    seeds: [':8443', '127.0.0.1:80', '[::1]:65535', 'hub.example:1', 'mqtts://b.example:8883/'],
  },
  'public-key': { read: publicKey, seeds: [KEY, publicKeyLine(KEY, 'alice@example')] },
  ip: { read: ip, seeds: ['127.0.0.1', '::1', '2001:db8::ff', '::ffff:1.2.3.4', 'fe80::1%eth0'] },
  'resolv-conf': {
    read: resolvConf,
    seeds: ['nameserver 1.1.1.1\nsearch a.b c\noptions ndots:5 # x\n', 'domain x\n; c'],
  },
};

export function targets(): Target[] {
  return Object.entries(ROWS).map(([name, { read, seeds, declared = [] }]) => ({
    name: `text/${name}`,
    form: 'text',
    seeds: seeds.map(seed => Buffer.from(seed)),
    ...{ bytesMax: 512, share: 5 },
    run: answering(declared, input => read(input.toString())),
  }));
}
