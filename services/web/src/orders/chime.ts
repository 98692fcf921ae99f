/** Two soft notes, a fifth apart: hertz, and seconds from the start. */
const NOTES = [
  { hertz: 659.26, at: 0 },
  { hertz: 987.77, at: 0.16 },
];
const NOTE_SECONDS = 0.9;

export interface Chime {
  ring(): void;
  close(): void;
}

/** A browser that lets the page not sound rings without one: the card shows the order. */
function stayQuiet(): void {}

/** The sound of an order. Browsers let a page sound only after a click, so this is called from one. */
export function createChime(): Chime {
  const audio = new AudioContext();
  audio.resume().catch(stayQuiet);
  return {
    ring() {
      for (const { hertz, at } of NOTES) {
        const start = audio.currentTime + at;
        const volume = new GainNode(audio, { gain: 0 });
        volume.gain.setValueAtTime(0, start);
        volume.gain.linearRampToValueAtTime(0.22, start + 0.015);
        volume.gain.exponentialRampToValueAtTime(0.0001, start + NOTE_SECONDS);
        const tone = new OscillatorNode(audio, { type: "sine", frequency: hertz });
        tone.connect(volume).connect(audio.destination);
        tone.start(start);
        tone.stop(start + NOTE_SECONDS);
      }
    },
    close() {
      audio.close().catch(stayQuiet);
    },
  };
}
