/** Dawn never throws: what went wrong on the device arrives as events. They are kept here and thrown at the next chance. */
import { DeviceError, LayerscopeError } from '../../errors.ts';

export class DeviceHealth {
  #lost: DeviceError | null = null;
  #failure: DeviceError | null = null;

  constructor(device: GPUDevice) {
    device.lost.then(({ reason, message }) => {
      this.#lost = new DeviceError(
        `Cannot go on: the GPU was lost (${message || reason}); open the model again, or use { backend: 'reference' }`,
      );
    });
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#failure ??= new DeviceError(`Cannot compute on the GPU: ${event.error.message}`);
    });
  }

  /** Throws the first thing that went wrong, once; a lost device stays lost. */
  check(): void {
    if (this.#lost) throw this.#lost;
    const failure = this.#failure;
    this.#failure = null;
    if (failure) throw failure;
  }

  /** Awaits work on the device. Where that was lost, says so instead of what a promise of the device rejects with. */
  async during<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof LayerscopeError) throw error;
      await new Promise((resolve) => setTimeout(resolve)); // The loss may be told after the rejections that it causes.
      this.check();
      throw error;
    }
  }
}
