"use strict";
// Layers of a map: pictures as they are; scores and classes decoded into numbers, coloured here.
// Levels halve the cells; a cell keeps the largest score, or the most important class, of four.

const anomvaeLayers = (() => {
  const SMALLEST = 64; // cells a side below which levels do not help
  // A ramp of even steps in lightness (OKLab), dark to light: the eye sees equal ratios as equal.
  const STOPS = [[0.16, 0.005, -0.07], [0.33, 0.06, -0.14], [0.47, 0.16, -0.06], [0.62, 0.19, 0.08],
    [0.77, 0.10, 0.15], [0.96, -0.03, 0.11]];

  function fromOklab([light, a, b]) {
    const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
    const linear = [4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s];
    return linear.map((c) => {
      const v = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
      return Math.round(255 * Math.max(0, Math.min(1, v)));
    });
  }

  /** The colour at a place from 0 to 1 of the ramp, as [red, green, blue]. */
  function ramp(place) {
    const at = Math.max(0, Math.min(1, place)) * (STOPS.length - 1);
    const first = Math.min(STOPS.length - 2, Math.floor(at));
    return fromOklab(STOPS[first].map((v, i) => v + (at - first) * (STOPS[first + 1][i] - v)));
  }

  const RAMP = Uint32Array.from({ length: 256 }, (_, i) => pixelOf(ramp(i / 255)));

  /** A colour as the 32 bits of ImageData; all machines of today are little-endian. */
  function pixelOf([red, green, blue]) {
    return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  }

  const pixelOfHex = (hex) => pixelOf([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));

  function loaded(source) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("a layer cannot be drawn"));
      image.src = anomvae.safePicture(source) || "data:,";
    });
  }

  function pixelsOf(image) {
    const canvas = anomvae.make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    return pen.getImageData(0, 0, canvas.width, canvas.height).data;
  }

  /** Halve an array of cells; `larger(a, b)` is what a cell keeps of two. */
  function halved({ cells, width, height }, larger) {
    const w = Math.ceil(width / 2), h = Math.ceil(height / 2);
    const made = new cells.constructor(w * h);
    for (let row = 0; row < h; row++) {
      const top = 2 * row * width, below = Math.min(2 * row + 1, height - 1) * width;
      for (let col = 0; col < w; col++) {
        const left = 2 * col, right = Math.min(left + 1, width - 1);
        made[row * w + col] = larger(
          larger(cells[top + left], cells[top + right]), larger(cells[below + left], cells[below + right]));
      }
    }
    return { cells: made, width: w, height: h };
  }

  /** What layers with values share: levels, made when they are needed, and a canvas of each. */
  class Valued {
    constructor(data, cells, width, height) {
      Object.assign(this, { data, width, height });
      this.levels = [{ cells, width, height }];
    }

    level(number) {
      while (this.levels.length <= number) {
        const last = this.levels[this.levels.length - 1];
        if (Math.max(last.width, last.height) <= SMALLEST) break;
        this.levels.push(halved(last, (a, b) => this.larger(a, b)));
      }
      return Math.min(number, this.levels.length - 1);
    }

    /** The canvas to draw where a cell is `size` screen pixels wide. */
    canvas(size) {
      const number = this.level(Math.max(0, Math.floor(Math.log2(1 / size) + 0.25)));
      const level = this.levels[number];
      if (!level.canvas) {
        level.canvas = anomvae.make("canvas", { width: level.width, height: level.height });
        level.stale = true;
      }
      if (level.stale) {
        const pen = level.canvas.getContext("2d");
        const image = pen.createImageData(level.width, level.height);
        this.colour(number, new Uint32Array(image.data.buffer));
        pen.putImageData(image, 0, 0);
        level.stale = false;
      }
      return level.canvas;
    }

    refresh() { for (const level of this.levels) level.stale = true; }
  }

  class ScoreLayer extends Valued {
    constructor(data, image) {
      const bytes = pixelsOf(image);
      const cells = new Uint16Array(image.naturalWidth * image.naturalHeight);
      for (let i = 0; i < cells.length; i++) cells[i] = bytes[4 * i] << 8 | bytes[4 * i + 1];
      super(data, cells, image.naturalWidth, image.naturalHeight);
      const t = data.scale === "log1p" ? Math.log1p : Number;
      Object.assign(this, { t, from: t(data.low), step: (t(data.high) - t(data.low)) / data.levels });
    }

    larger(a, b) { return a > b ? a : b; }

    score(step) {
      if (!step) return NaN;
      const value = this.from + (step - 1) * this.step;
      return this.data.scale === "log1p" ? Math.expm1(value) : value;
    }

    /** The step above which a cell is beyond a score. */
    stepOf(score) { return 1 + (this.t(score) - this.from) / this.step; }

    colour(number, pixels) {
      const { cells } = this.levels[number];
      const place = 255 / this.data.levels;
      for (let i = 0; i < cells.length; i++) pixels[i] = cells[i] ? RAMP[Math.floor((cells[i] - 1) * place)] : 0;
    }

    read(index) {
      const score = this.score(this.levels[0].cells[index]);
      return Number.isNaN(score) ? "no data" : anomvae.withUnit(anomvae.figure(score), this.data.unit);
    }
  }

  class ClassLayer extends Valued {
    constructor(data, image) {
      const bytes = pixelsOf(image);
      const cells = new Uint8Array(image.naturalWidth * image.naturalHeight);
      for (let i = 0; i < cells.length; i++) cells[i] = bytes[4 * i];
      super(data, cells, image.naturalWidth, image.naturalHeight);
      this.given = cells;
      this.pixels = new Uint32Array(256);
      this.ranks = new Uint8Array(256);
      data.classes.forEach(({ value, colour }, at) => {
        this.pixels[value] = colour ? pixelOfHex(colour) : 0;
        this.ranks[value] = colour ? 255 - at : 1;
      });
      this.names = new Map(data.classes.map(({ value, name }) => [value, name]));
    }

    larger(a, b) { return this.ranks[a] >= this.ranks[b] ? a : b; }

    colour(number, pixels) {
      const { cells } = this.levels[number];
      for (let i = 0; i < cells.length; i++) pixels[i] = this.pixels[cells[i]];
    }

    read(index) {
      const value = this.levels[0].cells[index];
      return this.names.get(value) || `class ${value}`;
    }

    /** Decide 0 and 1 anew by a layer of scores; `null` brings the given values back. */
    follow(scores, threshold) {
      const cells = threshold === null ? this.given : this.decided(scores, scores.stepOf(threshold));
      this.levels = [{ ...this.levels[0], cells, stale: true }];
    }

    decided(scores, step) {
      const cells = Uint8Array.from(this.given);
      const of = scores.levels[0].cells;
      const same = scores.width === this.width && scores.height === this.height;
      for (let i = 0; i < cells.length; i++) {
        if (cells[i] > 1) continue;
        const at = same ? i
          : Math.floor((Math.floor(i / this.width) + 0.5) * scores.height / this.height) * scores.width +
            Math.floor((i % this.width + 0.5) * scores.width / this.width);
        cells[i] = of[at] > step ? 1 : 0;
      }
      return cells;
    }
  }

  class PictureLayer {
    constructor(data, image) {
      Object.assign(this, { data, image, width: image.naturalWidth, height: image.naturalHeight });
    }

    canvas() { return this.image; }
  }

  const TYPES = { picture: PictureLayer, scores: ScoreLayer, classes: ClassLayer };

  /** Decode a layer; a promise. */
  const decode = async (data) => new TYPES[data.kind](data, await loaded(data.source));

  return { decode, ramp };
})();
