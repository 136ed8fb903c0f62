/**
 * The settings in force as `/configz` and `flotilla-agent config` show them: no value of a header, and of the
 * URL host and path. Pure.
 */
import type { AgentConfig } from './config.js';
import { shownUrl } from './sources/url-decide.js';

const HIDDEN = '<hidden>';

function shownProxy(text: string | null): string | null {
  return text === null ? null : text.replace(/^(.*:\/\/)?.*@/, `$1${HIDDEN}@`);
}

export function shownConfig(config: AgentConfig): Readonly<Record<string, unknown>> {
  const { url } = config;
  if (url === null) return { ...config };
  const headers = Object.fromEntries(
    Object.entries(url.headers).map(([name, values]) => [name, values.map(() => HIDDEN)]),
  );
  const { http, https, except } = url.proxies;
  const proxies = { http: shownProxy(http), https: shownProxy(https), except };
  return { ...config, url: { ...url, url: shownUrl(url.url), headers, proxies } };
}
