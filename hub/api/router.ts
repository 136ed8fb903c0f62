/** Finds the route of a method and path in a table. Pure; the table is read once, into a tree of path parts. */
import { RequestError } from '../ports.js';
import type { Method, Route } from './request.js';

interface Branch {
  readonly parts: Map<string, Branch>;
  param: { readonly name: string; readonly branch: Branch } | null;
  readonly routes: Map<Method, Route>;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export interface Router {
  /** Null: no such path. Throws MethodNotAllowed where the path has other methods, BadRequest for a bad escape. */
  match(method: string, path: string): Match | null;
}

function branch(): Branch {
  return { parts: new Map(), param: null, routes: new Map() };
}

function child(parent: Branch, part: string): Branch {
  if (part.startsWith(':')) {
    parent.param ??= { name: part.slice(1), branch: branch() };
    if (parent.param.name !== part.slice(1)) {
      throw new Error(`two routes name one part "${part}" and ":${parent.param.name}"`);
    }
    return parent.param.branch;
  }
  const known = parent.parts.get(part);
  if (known) return known;
  const made = branch();
  parent.parts.set(part, made);
  return made;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RequestError('BadRequest', 'the path has a malformed percent-escape');
  }
}

/** A fixed part wins over a parameter. Throws `Error` when two routes claim the same method and path. */
export function buildRouter(routes: readonly Route[]): Router {
  const root = branch();
  for (const route of routes) {
    const leaf = route.path.split('/').slice(1).reduce(child, root);
    if (leaf.routes.has(route.method)) throw new Error(`${route.method} ${route.path}: twice`);
    leaf.routes.set(route.method, route);
  }
  return {
    match(method, path) {
      const params: Record<string, string> = {};
      let at = root;
      for (const raw of path
        .replace(/(?<=.)\/$/, '')
        .split('/')
        .slice(1)) {
        const part = decode(raw);
        const fixed = at.parts.get(part);
        if (fixed) at = fixed;
        else if (at.param !== null && part !== '') {
          params[at.param.name] = part;
          at = at.param.branch;
        } else return null;
      }
      if (at.routes.size === 0) return null;
      const route = at.routes.get(method as Method);
      if (route) return { route, params };
      throw new RequestError(
        'MethodNotAllowed',
        `${method} is not possible on ${path}: use ${[...at.routes.keys()].join(', ')}`,
      );
    },
  };
}
