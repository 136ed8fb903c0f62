/** The hub's figures for Prometheus: for administrators, and for those who may do nothing but watch. */
import type { Exposition } from '../../metrics/exposition.js';
import { text, type Route } from '../request.js';

export function metricsRoutes(exposition: () => Promise<Exposition>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      access: 'monitor',
      handle: async () => {
        const { contentType, body } = await exposition();
        return text(body, contentType);
      },
    },
  ];
}
