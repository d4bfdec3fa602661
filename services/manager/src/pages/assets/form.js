"use strict";

/* Checks the configuration as it is typed, by the limits that the manager has put into the form: it
   checks again itself, so that the form works without this file. */
(() => {
  const form = document.getElementById("configuration");
  if (!form) {
    return;
  }
  const numbers = [...form.querySelectorAll("input[data-wrong]")];

  function wrong(input) {
    const { above, from, below, to, whole, lessThan } = input.dataset;
    const text = input.value.trim();
    const number = Number(text);
    const isWrong =
      /* What is as it was asks for nothing. */
      input.value !== input.defaultValue &&
      (text === "" ||
      !Number.isFinite(number) ||
      (whole && !/^\d+$/.test(text)) ||
      (above !== undefined && !(number > Number(above))) ||
      (from !== undefined && !(number >= Number(from))) ||
      (below !== undefined && !(number < Number(below))) ||
      (to !== undefined && !(number <= Number(to))));
    if (isWrong) {
      return input.dataset.wrong;
    }
    const other = lessThan && document.getElementById(lessThan);
    if (other && number >= Number(other.value)) {
      return `It must be less than ${other.value}, above which the pool grows.`;
    }
    return "";
  }

  function check(input) {
    const problem = wrong(input);
    const told = document.getElementById(`${input.id}-problem`);
    told.textContent = problem;
    told.hidden = problem === "";
    if (problem === "") {
      input.removeAttribute("aria-invalid");
    } else {
      input.setAttribute("aria-invalid", "true");
    }
    input.closest(".field").classList.toggle("bad", problem !== "");
    return problem === "";
  }

  form.addEventListener("input", () => numbers.forEach(check));
  form.addEventListener("submit", (event) => {
    const bad = numbers.filter((input) => !check(input));
    if (bad.length > 0) {
      event.preventDefault();
      bad[0].focus();
    }
  }, { capture: true });
})();
