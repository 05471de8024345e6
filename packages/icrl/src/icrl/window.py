"""Window: shows pictures on the screen, for the render mode `human`."""

import os

import numpy as np

from icrl.errors import UsageError


class Window:
    """A window that is opened by the first picture and closed by `close`."""

    def __init__(self, title: str, pictures_per_second: int) -> None:
        """Find pygame.

        Raises:
            UsageError: if it is not installed.
        """
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it would print at import
        try:
            import pygame
        except ImportError as error:
            raise UsageError(
                "render_mode='human' needs pygame: pip install 'icrl[render]'. "
                "Or use render_mode='rgb_array'."
            ) from error
        self._pygame = pygame
        self._title = title
        self._rate = pictures_per_second
        self._clock = pygame.time.Clock()
        self._size: tuple[int, int] | None = None

    def show(self, picture: np.ndarray) -> None:
        """Show a picture [height, width, 3] uint8, no sooner than the rate allows."""
        pygame = self._pygame
        height, width = picture.shape[:2]
        if self._size != (width, height):
            pygame.display.init()
            pygame.display.set_mode((width, height))
            pygame.display.set_caption(self._title)
            self._size = (width, height)
        pygame.event.pump()
        surface = pygame.surfarray.make_surface(picture.swapaxes(0, 1))
        pygame.display.get_surface().blit(surface, (0, 0))
        pygame.display.flip()
        self._clock.tick(self._rate)

    def close(self) -> None:
        """Close the window."""
        if self._size is not None:
            self._pygame.display.quit()
            self._size = None
