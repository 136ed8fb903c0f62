/**
 * The value of one variable in a file that a container wrote for another one.
 *
 * The Kubernetes env file syntax: `NAME='value'`, single quotes only, nothing inside them is special, several lines
 * allowed; `#` comments (`pkg/kubelet/util/env`, kubelet behaviour row 148). Pure.
 */

/** The file breaks the syntax; the message names the line and nothing of its content. */
export class EnvFileError extends Error {
  override readonly name = 'EnvFileError';
  constructor(line: number, what: string) {
    super(`invalid environment variable format at line ${line}: ${what}`);
  }
}

const withoutIndent = (text: string) => text.replace(/^[ \t]+/, '');

/**
 * The first value of `key`; empty when it has none or is given with a blank after its `=`, as in a shell; null when the
 * file does not name it. What stands behind the variable is not looked at. Throws `EnvFileError`.
 */
export function envFileValue(content: string, key: string): string | null {
  const lines = content.split('\n').map(line => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.at(-1) === '') lines.pop();
  let at = 0;
  while (at < lines.length) {
    const number = at + 1;
    const line = withoutIndent(lines[at++] ?? '');
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    if (equals === -1) throw new EnvFileError(number, "missing '='");
    const name = line.slice(0, equals);
    if (name.trim() === '') throw new EnvFileError(number, 'empty variable name');
    if (/[ \t]$/.test(name)) {
      throw new EnvFileError(number, "whitespace before '=' is not allowed");
    }
    const value = line.slice(equals + 1);
    if (/^[ \t]/.test(value)) {
      if (name === key) return '';
      continue;
    }
    if (!value.startsWith("'")) {
      throw new EnvFileError(number, 'value must be enclosed in single quotes');
    }
    let text = '';
    let rest = value.slice(1);
    while (!rest.includes("'")) {
      const next = lines[at++];
      if (next === undefined) throw new EnvFileError(number, 'unclosed single quote');
      text += `${rest}\n`;
      rest = next;
    }
    const close = rest.indexOf("'");
    text += rest.slice(0, close);
    const behind = withoutIndent(rest.slice(close + 1));
    if (behind !== '' && !behind.startsWith('#')) {
      throw new EnvFileError(at, 'unexpected content after closing quote');
    }
    if (name === key) return text;
  }
  return null;
}
