/**
 * The grammars of names and values in a Pod, each with the sentence that an error prints.
 *
 * The schema generator puts these patterns into the Pod schema and the validation looks the
 * sentences up by pattern, so both sides share this one list. Pure data; no imports, because the
 * generator loads this file by itself. Standard: Kubernetes API validation (RFC 1123, RFC 6335) as
 * of v1.36.
 */

export interface Grammar {
  /** A regular expression, anchored at both ends, for the `u` flag. */
  readonly pattern: string;
  /** The longest accepted length in UTF-16 code units; absent when there is no limit. */
  readonly maxLength?: number;
  /** What a value must be, to be read after "must be". */
  readonly must: string;
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SYSCTL_SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const QUALIFIED_NAME = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

export const GRAMMARS = {
  dnsLabel: {
    pattern: `^${LABEL}$`,
    maxLength: 63,
    must:
      "a lowercase RFC 1123 label: at most 63 lower case letters, digits or '-', " +
      "beginning and ending with a letter or digit (e.g. 'my-name' or '123-abc')",
  },
  dnsSubdomain: {
    pattern: `^${LABEL}(\\.${LABEL})*$`,
    maxLength: 253,
    must:
      "a lowercase RFC 1123 subdomain: at most 253 lower case letters, digits, '-' or '.', " +
      "beginning and ending with a letter or digit (e.g. 'example.com')",
  },
  /** What the kernel takes as the name of a machine. */
  nodeHostname: {
    pattern: `^(?=.{1,64}$)${LABEL}(\\.${LABEL})*$`,
    must:
      "a lowercase RFC 1123 subdomain of at most 64 lower case letters, digits, '-' or '.', " +
      "beginning and ending with a letter or digit (e.g. 'web.example.com')",
  },
  sysctlName: {
    pattern: `^(${SYSCTL_SEGMENT}[./])*${SYSCTL_SEGMENT}$`,
    maxLength: 253,
    must:
      "a sysctl's name of at most 253 lower case letters, digits, '-', '_', '.' or '/' " +
      "(e.g. 'net.ipv4.tcp_syncookies')",
  },
  portName: {
    pattern: '^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    maxLength: 15,
    must:
      "an RFC 6335 service name: at most 15 lower case letters, digits or '-', " +
      "at least one letter, no two '-' in a row, " +
      "beginning and ending with a letter or digit (e.g. 'http')",
  },
  envName: {
    pattern: '^[ -<>-~]+$',
    must: "printable ASCII characters other than '='",
  },
  podUid: {
    pattern: '^[A-Za-z0-9-]{1,64}$',
    must: "1 to 64 letters, digits or '-'",
  },
  quantity: {
    pattern: '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$',
    must: 'a quantity such as 500m, 2, 64Mi or 1.5Gi',
  },
  labelKey: {
    pattern: `^((?=.{1,253}/)${LABEL}(\\.${LABEL})*/)?(?=.{1,63}$)${QUALIFIED_NAME}$`,
    must:
      "a qualified name: at most 63 letters, digits, '-', '_' or '.', " +
      'beginning and ending with a letter or digit, ' +
      "with an optional DNS prefix and '/' (e.g. 'app' or 'example.com/app')",
  },
  labelValue: {
    pattern: `^(${QUALIFIED_NAME})?$`,
    maxLength: 63,
    must:
      "empty or at most 63 letters, digits, '-', '_' or '.', " +
      'beginning and ending with a letter or digit',
  },
  absolutePath: {
    pattern: '^/[^\\u0000]*$',
    must: "an absolute path (beginning with '/')",
  },
} as const satisfies Record<string, Grammar>;
