"""People who sign in. Our own model from the start, because AUTH_USER_MODEL cannot change later."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """Someone with conversations. The first one, made by `manage.py serve`, is the owner: a superuser."""

    @property
    def display_name(self) -> str:
        """The full name where given, else the user name."""
        return self.get_full_name() or self.username
