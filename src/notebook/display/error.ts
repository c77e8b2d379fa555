/** Our errors as values: what they say and where, without a stack, which would only show our own files. */
import { LayerscopeError } from '../../errors.ts';
import { instancesOf } from './kind.ts';

export const ourError = instancesOf(LayerscopeError, (error) => {
  const { name, message, file, tensor, step } = error;
  const places = Object.entries({ file, tensor, step }).filter(([, place]) => place !== undefined);
  const lines = [`${name}: ${message}`, ...places.map(([what, place]) => `  ${what} ${place}`)];
  return { 'text/plain': lines.join('\n') };
});
