"""Communities: circles of people, invitations, memberships, and who may do what."""
