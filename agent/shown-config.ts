/** The settings in force as `/configz` and `flotilla-agent config` show them: no value of a header. Pure. */
import type { AgentConfig } from './config.js';

const HIDDEN = '<hidden>';

export function shownConfig(config: AgentConfig): Readonly<Record<string, unknown>> {
  const { url } = config;
  if (url === null) return { ...config };
  const headers = Object.fromEntries(
    Object.entries(url.headers).map(([name, values]) => [name, values.map(() => HIDDEN)]),
  );
  return { ...config, url: { ...url, url: withoutPassword(url.url), headers } };
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  if (url.password === '' && url.username === '') return text;
  url.username = '';
  url.password = '';
  return url.href;
}
